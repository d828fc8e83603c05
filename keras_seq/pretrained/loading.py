"""Load and save published models: the class is chosen by `config.json`."""

from keras_seq import checks
from keras_seq.models import (
    BERT,
    GPT,
    BERTClassifier,
    BERTPretrainer,
    BERTSpanQA,
    BERTTagger,
    ViT,
)
from keras_seq.pretrained.bert import BERT_ARCHITECTURES, load_bert, save_bert
from keras_seq.pretrained.folder import read_config
from keras_seq.pretrained.gpt import load_gpt
from keras_seq.pretrained.vit import load_vit, save_vit

# The classes for each model type of config.json, and the class for each
# architecture; without an architecture, the first class of the model type.
# A new family needs a line in MODEL_TYPES and in LOADERS.
MODEL_TYPES = {
    "bert": (BERT, BERTPretrainer, BERTClassifier, BERTTagger, BERTSpanQA),
    "gpt2": (GPT,),
    "vit": (ViT,),
}
ARCHITECTURES = {name: ours for ours, name, _ in BERT_ARCHITECTURES}
ARCHITECTURES["BertForMaskedLM"] = BERTPretrainer
LOADERS = {"bert": load_bert, "gpt2": load_gpt, "vit": load_vit}


def load(folder, model_class=None, **options):
    """Load a published model: `config.json` and `model.safetensors`.

    Args:
        folder: str or Path, in the format of `transformers`, of a GPT-2, a
            BERT (alone or with a head) or a ViT.
        model_class: optional class of `keras_seq.models`: `BERT` reads the
            encoder of any BERT and drops the head. Default: the class of the
            architecture that config.json names.
        options: constructor arguments that config.json does not determine,
            such as `dtype`, `dropout` or, for GPT-2, `pad_id`. For ViT also
            `image_size`, which interpolates the position embeddings, and
            `num_classes`, for a new head, or None.
    Returns:
        a built model that gives the outputs of the published one.
    Raises:
        ValueError: if a file is missing or damaged, a tensor is missing or of
            another shape, an option of config.json is not supported, its head
            is not that of `model_class`, or it determines one of `options`.
        ImportError: if safetensors is not installed.
    """
    config = read_config(folder)
    model_type = config.get("model_type")
    if model_type not in MODEL_TYPES:
        raise ValueError(
            f"`model_type` in config.json must be one of {list(MODEL_TYPES)}. "
            f"Received model_type={model_type!r}."
        )
    classes = MODEL_TYPES[model_type]
    if model_class is None:
        names = config.get("architectures") or [None]
        model_class = ARCHITECTURES.get(names[0], classes[0])
    is_class = isinstance(model_class, type)
    if not is_class or not issubclass(model_class, classes):
        raise ValueError(
            f"`model_class` must be one of {[c.__name__ for c in classes]} if "
            f"model_type={model_type!r}. Received model_class={model_class!r}."
        )
    return LOADERS[model_type](model_class, folder, **options)


def save(model, folder, *, tokenizer=None, labels=None):
    """Save a model in a folder that `transformers` reads.

    A BERT without a pooler is loaded there with `BertModel.from_pretrained(
    folder, add_pooling_layer=False)`, which config.json cannot express;
    a ViT without a head likewise with `ViTModel`. Stochastic depth and patch
    dropout of a ViT are not saved: `transformers` has neither.

    Args:
        model: a built `BERT`, a BERT with a head, or a `ViT`.
        folder: str or Path; created where it is missing. Its files of the
            same names are replaced.
        tokenizer: optional `BERTTokenizer` of a BERT, saved as well.
        labels: optional list of str, the class names of a ViT.
    Raises:
        ValueError: if the model is not built or of another class, it has an
            option that `transformers` does not support, the tokenizer does not
            belong to it, or `labels` are not one for each class.
        ImportError: if the package safetensors is not installed.
    """
    if isinstance(model, MODEL_TYPES["bert"]):
        _check_absent(model, labels=labels)
        return save_bert(model, folder, tokenizer)
    if isinstance(model, ViT):
        _check_absent(model, tokenizer=tokenizer)
        return save_vit(model, folder, labels)
    checks.built(model)
    raise ValueError(
        "`model` must be a BERT, a BERT with a head, or a ViT. Received "
        f"model={model!r}."
    )


def _check_absent(model, **arguments):
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"`{name}` must be None for a {type(model).__name__}. Received "
                f"{name}={value!r}."
            )
