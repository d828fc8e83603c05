"""BERT's folder, read and written, alone or with one of four heads.

The matrix that makes scores of the hidden words is that of the embedding, so
it stands in a folder once, or twice alike. Which tensor is which weight says
`bert_weights`.
"""

import numpy as np

from keras_seq import checks
from keras_seq.models.bert import BERT
from keras_seq.models.bert_pretraining import BERTPretrainer
from keras_seq.models.bert_tasks import BERTClassifier, BERTSpanQA, BERTTagger
from keras_seq.pretrained.bert_weights import bert_weights, head_weights
from keras_seq.pretrained.folder import (
    ACTIVATIONS,
    Folder,
    classes,
    in_their_words,
    with_options,
    write,
)
from keras_seq.text import BERTTokenizer

KINDS = (  # ours, theirs, and how the names of the head's tensors begin
    (BERT, "BertModel", "bert."),
    (BERTPretrainer, "BertForPreTraining", "cls."),
    (BERTClassifier, "BertForSequenceClassification", "classifier."),
    (BERTTagger, "BertForTokenClassification", "classifier."),
    (BERTSpanQA, "BertForQuestionAnswering", "qa_outputs."),
)
SIZES = {  # their option: our argument
    "vocab_size": "vocabulary_size",
    "hidden_size": "units",
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "num_layers",
    "max_position_embeddings": "max_length",
    "type_vocab_size": "num_segments",
    "intermediate_size": "hidden",
}
TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")


def load_bert(make, folder, **options):
    """Read a BERT, alone or with a head, as `transformers` writes it.

    Args:
        make: the class `BERT`, or one that stands on it.
        folder: path of a folder with config.json and model.safetensors.
        options: of `BERT`, such as dtype.
    Returns:
        what `make` made, with the published weights.
    Raises:
        ValueError: if a file, a tensor, a shape or an option is not as it
            must be.
    """
    read, (ours, theirs, head) = Folder(folder, "bert"), _kind(make)
    read.rename(lambda name: _name(name, head))
    _drop_tied(read)
    arguments = with_options(_arguments(read), options)
    if ours is BERT:
        model = bert = make(**arguments)
    else:
        bert = BERT(**arguments)
        model = make(bert, **_head_arguments(read, ours, theirs))
    model.build((None, None))
    for weight in (*bert_weights(bert), *head_weights(model)):
        weight.assign(read.take(weight.name, *weight.shape))
    read.finish()
    return model


def save_bert(model, folder, tokenizer=None):
    """Write a BERT, alone or with a head, as `transformers` does.

    Args, Raises: as `pretrained.save`.
    """
    ours, theirs, _ = _kind(type(model))
    alone = ours is BERT
    bert = model if alone else model.bert
    checks.built(model)
    checks.one_of(("cls",), pooling=getattr(model, "pooling", "cls"))
    _check_tokenizer(bert, tokenizer)
    config = {
        "architectures": [theirs],
        "model_type": "bert",
        **in_their_words(bert.config, SIZES),
        "pad_token_id": bert.config["pad_id"],
        "tie_word_embeddings": True,
    }
    if ours is BERTPretrainer and not model.next_sentence:
        config["architectures"] = ["BertForMaskedLM"]
    if ours in (BERTClassifier, BERTTagger):
        config |= classes(model.head.units)
        config["classifier_dropout"] = model.dropout.rate
    tensors = {
        w.name if alone else f"bert.{w.name}": w.numpy()
        for w in bert_weights(bert, alone or model.pools)
    }
    tensors.update({w.name: w.numpy() for w in head_weights(model)})
    write(folder, config, tensors)
    if tokenizer is not None:
        tokenizer.to_huggingface(folder)


def _kind(cls):
    return next(kind for kind in KINDS if issubclass(cls, kind[0]))


def _name(name, head):
    """Call a tensor as today's folders do; None for what is not asked for."""
    name = name.removeprefix("bert.")
    for old, new in (("gamma", "weight"), ("beta", "bias")):
        name = name.replace(f"LayerNorm.{old}", f"LayerNorm.{new}")
    others = tuple(prefix for *_, prefix in KINDS if prefix != head)
    return None if name in BUFFERS or name.startswith(others) else name


def _arguments(read):
    """Give the arguments of a `BERT`."""
    for option, value in (
        ("position_embedding_type", "absolute"),
        ("is_decoder", False),
        ("add_cross_attention", False),
        ("pruned_heads", {}),
    ):
        read.require(option, value, default=value)
    activation = read.require("hidden_act", *ACTIVATIONS, default="gelu")
    sizes = {ours: read.number(theirs) for theirs, ours in SIZES.items()}
    read.width("hidden_size", "num_attention_heads")
    pad = read.config.get("pad_token_id", 0)
    if pad is not None:
        checks.id_below(sizes["vocabulary_size"], pad_token_id=pad)
    on_weights = "attention_probs_dropout_prob"
    return {
        **sizes,
        "dropout": read.fraction("hidden_dropout_prob", 0.1),
        "attention_dropout": read.fraction(on_weights, 0.1),
        "activation": ACTIVATIONS[activation],
        "epsilon": read.positive("layer_norm_eps", 1e-12),
        "pooler": any(name.startswith("pooler.") for name in read.tensors),
        "pad_id": pad,
    }


def _head_arguments(read, ours, theirs):
    """Give the arguments of a head; refuse one made for another task."""
    if ours is BERTPretrainer:
        read.require("tie_word_embeddings", True, default=True)
        asked = "cls.seq_relationship."
        return {"next_sentence": any(n.startswith(asked) for n in read.tensors)}
    read.require("architectures", [theirs], None)
    if ours is BERTSpanQA:
        return {}
    dropout = "classifier_dropout"
    if read.config.get(dropout) is None:
        dropout = "hidden_dropout_prob"
    return {
        "num_classes": read.count_labels(),
        "dropout": read.fraction(dropout, 0.1),
    }


def _drop_tied(read):
    """Leave the second copy of a weight aside; refuse one that differs."""
    for copy, first in TIED.items():
        x = read.tensors.pop(copy, None)
        if x is not None and not np.array_equal(x, read.tensors.get(first)):
            raise ValueError(
                f"Tensor {copy!r} must be like {first!r}, to which it is tied. "
                "Received another."
            )


def _check_tokenizer(bert, tokenizer):
    """Refuse a tokenizer that is none of BERT's, or not of this one."""
    if tokenizer is None:
        return
    if not isinstance(tokenizer, BERTTokenizer):
        raise ValueError(
            "`tokenizer` must be a BERTTokenizer, which alone cuts a text as "
            f"`transformers` does. Received tokenizer={tokenizer!r}."
        )
    V, pad = bert.config["vocabulary_size"], bert.pad_id
    if tokenizer.vocabulary_size() > V or pad not in (None, tokenizer.pad_id):
        raise ValueError(
            "`tokenizer` must give ids that the model knows, and pad as it "
            f"does. Received {tokenizer.vocabulary_size()} ids, "
            f"pad_id={tokenizer.pad_id}; the model has {V}, pad_id={pad}."
        )
