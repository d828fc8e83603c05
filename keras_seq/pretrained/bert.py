"""Load and save BERT, alone or with one of four heads.

The output weights of masked language modeling are tied to the embedding, so a
folder holds that matrix once, or two equal copies. Which tensor belongs to
which weight is in `bert_weights`.
"""

import numpy as np

from keras_seq import checks
from keras_seq.models.bert import BERT
from keras_seq.models.bert_pretraining import BERTPretrainer
from keras_seq.models.bert_tasks import BERTClassifier, BERTSpanQA, BERTTagger
from keras_seq.pretrained.bert_weights import bert_weights, head_weights
from keras_seq.pretrained.folder import (
    ACTIVATIONS,
    ModelFolder,
    label_maps,
    merge_options,
    published_config,
    write_folder,
)
from keras_seq.text import BERTTokenizer

# Our class, the published architecture, the prefix of its head's tensors.
BERT_ARCHITECTURES = (
    (BERT, "BertModel", "bert."),
    (BERTPretrainer, "BertForPreTraining", "cls."),
    (BERTClassifier, "BertForSequenceClassification", "classifier."),
    (BERTTagger, "BertForTokenClassification", "classifier."),
    (BERTSpanQA, "BertForQuestionAnswering", "qa_outputs."),
)
SIZE_OPTIONS = {  # option of config.json: argument of `BERT`
    "vocab_size": "vocabulary_size",
    "hidden_size": "hidden_dim",
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "num_layers",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "intermediate_size": "intermediate_dim",
}
TIED_TENSORS = {  # copy: original
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def load_bert(model_class, path, **options):
    """Load a BERT, alone or with a head, in the format of `transformers`.

    Args:
        model_class: the class `BERT`, or a subclass of `BERTTask`.
        path: path of a folder with config.json and model.safetensors.
        options: of `BERT`, such as dtype.
    Returns:
        a built model of `model_class` with the published weights.
    Raises:
        ValueError: if a file, a tensor, a shape or an option is not supported.
    """
    folder = ModelFolder(path, "bert")
    ours, architecture, prefix = _find_architecture(model_class)
    folder.rename_tensors(lambda name: _tensor_name(name, prefix))
    _drop_tied_tensors(folder)
    arguments = merge_options(_bert_arguments(folder), options)
    if ours is BERT:
        model = bert = model_class(**arguments)
    else:
        bert = BERT(**arguments)
        head_arguments = _head_arguments(folder, ours, architecture)
        model = model_class(bert, **head_arguments)
    model.build()
    for weight in (*bert_weights(bert), *head_weights(model)):
        weight.assign(folder.take_tensor(weight.name, *weight.shape))
    folder.check_all_taken()
    return model


def save_bert(model, path, tokenizer=None):
    """Save a BERT, alone or with a head, in the format of `transformers`.

    Args:
        model: a built `BERT` or `BERTTask`.
        path: path of a folder.
        tokenizer: optional `BERTTokenizer`, saved as well.
    Raises:
        ValueError: as `pretrained.save`.
    """
    ours, architecture, _ = _find_architecture(type(model))
    alone = ours is BERT
    bert = model if alone else model.bert
    checks.built(model)
    checks.one_of(("cls",), pooling=getattr(model, "pooling", "cls"))
    _check_tokenizer(bert, tokenizer)
    if ours is BERTPretrainer and not model.next_sentence:
        architecture = "BertForMaskedLM"
    config = {
        "architectures": [architecture],
        "model_type": "bert",
        **published_config(bert.config, SIZE_OPTIONS),
        "pad_token_id": bert.config["pad_id"],
        "tie_word_embeddings": True,
    }
    if ours in (BERTClassifier, BERTTagger):
        config |= label_maps(model.head.units)
        config["classifier_dropout"] = model.dropout.rate
    prefix, pooler = ("", True) if alone else ("bert.", model.use_pooler)
    tensors = {prefix + w.name: w.numpy() for w in bert_weights(bert, pooler)}
    tensors |= {w.name: w.numpy() for w in head_weights(model)}
    write_folder(path, config, tensors)
    if tokenizer is not None:
        tokenizer.to_huggingface(path)


def _find_architecture(model_class):
    return next(a for a in BERT_ARCHITECTURES if issubclass(model_class, a[0]))


def _tensor_name(name, head_prefix):
    """Return today's name of a tensor; None for one that is not used."""
    name = name.removeprefix("bert.")
    for old, new in (("gamma", "weight"), ("beta", "bias")):
        name = name.replace(f"LayerNorm.{old}", f"LayerNorm.{new}")
    prefixes = {prefix for *_, prefix in BERT_ARCHITECTURES} - {head_prefix}
    return None if name in BUFFERS or name.startswith(tuple(prefixes)) else name


def _bert_arguments(folder):
    """Return the constructor arguments of a `BERT`."""
    for option, value in (
        ("position_embedding_type", "absolute"),
        ("is_decoder", False),
        ("add_cross_attention", False),
        ("pruned_heads", {}),
    ):
        folder.require(option, value, default=value)
    activation = folder.require("hidden_act", *ACTIVATIONS, default="gelu")
    sizes = {
        ours: folder.positive_int(theirs)
        for theirs, ours in SIZE_OPTIONS.items()
    }
    folder.width_and_heads("hidden_size", "num_attention_heads")
    pad_id = folder.config.get("pad_token_id", 0)
    if pad_id is not None:
        checks.id_below(sizes["vocabulary_size"], pad_token_id=pad_id)
    option = "attention_probs_dropout_prob"
    return {
        **sizes,
        "dropout": folder.fraction("hidden_dropout_prob", 0.1),
        "attention_dropout": folder.fraction(option, 0.1),
        "activation": ACTIVATIONS[activation],
        "layer_norm_epsilon": folder.positive("layer_norm_eps", 1e-12),
        "pooler": any(name.startswith("pooler.") for name in folder.tensors),
        "pad_id": pad_id,
    }


def _head_arguments(folder, ours, architecture):
    """Return the arguments of a head, and check that the folder has it."""
    if ours is BERTPretrainer:
        folder.require("tie_word_embeddings", True, default=True)
        prefix = "cls.seq_relationship."
        found = any(name.startswith(prefix) for name in folder.tensors)
        return {"next_sentence": found}
    folder.require("architectures", [architecture], None)
    if ours is BERTSpanQA:
        return {}
    dropout = "classifier_dropout"
    if folder.config.get(dropout) is None:
        dropout = "hidden_dropout_prob"
    return {
        "num_classes": folder.num_labels(),
        "dropout": folder.fraction(dropout, 0.1),
    }


def _drop_tied_tensors(folder):
    """Drop the second copy of a tied weight; raise if it differs."""
    for copy, original in TIED_TENSORS.items():
        x = folder.tensors.pop(copy, None)
        if x is not None and not np.array_equal(
            x, folder.tensors.get(original)
        ):
            raise ValueError(
                f"Tensor {copy!r} must equal {original!r}, to which it is "
                "tied. Received different values."
            )


def _check_tokenizer(bert, tokenizer):
    """Raise a ValueError if a tokenizer does not belong to a `BERT`."""
    if tokenizer is None:
        return
    if not isinstance(tokenizer, BERTTokenizer):
        raise ValueError(
            "`tokenizer` must be a BERTTokenizer, the only one that tokenizes "
            f"as `transformers` does. Received tokenizer={tokenizer!r}."
        )
    V, pad_id = bert.config["vocabulary_size"], bert.pad_id
    if tokenizer.vocabulary_size() > V or pad_id not in (
        None,
        tokenizer.pad_id,
    ):
        raise ValueError(
            "`tokenizer` must have at most as many ids as the model, and its "
            f"padding. Received {tokenizer.vocabulary_size()} ids, "
            f"pad_id={tokenizer.pad_id}; the model has {V}, pad_id={pad_id}."
        )
