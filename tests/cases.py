"""One line per public layer and model: how to make it, what to feed it.

Every axis is a different prime, so that a swapped axis cannot pass.
"""

import dataclasses
import typing

import keras
import numpy as np

import keras_seq

BATCH, LENGTH, WIDTH, UNITS, VOCAB = 3, 5, 7, 11, 13


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer or model, its input, and arguments that it must refuse.

    Attributes:
        make: () -> layer; takes keyword arguments such as `dtype` too.
        inputs: () -> array or nest of arrays.
        shape: tuple, the shape of the output, or a dict of such.
        bad: list of (arguments, name that the error must say).
    """

    name: str
    make: typing.Callable
    inputs: typing.Callable
    shape: tuple | dict
    bad: tuple = ()

    def __repr__(self):
        return self.name


def floats():
    x = np.random.default_rng(0).normal(size=(BATCH, LENGTH, WIDTH))
    return x.astype("float32")


def wide_floats():
    x = np.random.default_rng(0).normal(size=(BATCH, LENGTH, UNITS))
    return x.astype("float32")


def even_floats():
    """Draw vectors of an even width: float (B, LENGTH, 2 UNITS)."""
    return np.concatenate([wide_floats(), wide_floats()[::-1]], axis=-1)


def first_vectors():
    """Draw one vector of each row: float (B, UNITS)."""
    return wide_floats()[:, 0]


def ids():
    """Draw token ids; the second row ends and the third begins in padding."""
    x = np.random.default_rng(0).integers(1, VOCAB, (BATCH, LENGTH))
    x[1, 3:] = 0
    x[2, :2] = 0
    return x.astype("int32")


def sentences():
    """Draw sources and targets; both end in padding in the second row."""
    source = ids()
    source[2, :2] = 1
    target = np.random.default_rng(1).integers(1, VOCAB, (BATCH, 3))
    target[1, 2:] = 0
    return {"source": source, "target": target.astype("int32")}


def query_and_memory():
    """Draw float queries (B, 2, UNITS) and a memory (B, LENGTH, UNITS)."""
    rng = np.random.default_rng(0)
    shapes = (BATCH, 2, UNITS), (BATCH, LENGTH, UNITS)
    return tuple(rng.normal(size=s).astype("float32") for s in shapes)


def public(name):
    """Find a public layer, model or function by its name."""
    packages = keras_seq.layers, keras_seq.models, keras_seq.generation
    return next(
        getattr(package, name)
        for package in packages
        if name in package.__all__
    )


def layer(name, inputs, shape, bad=(), **arguments):
    cls = public(name)
    return Case(
        name, lambda **more: cls(**{**arguments, **more}), inputs, shape, bad
    )


def cell(name, bad=()):
    cls = public(name)

    def make(**more):
        policy = {k: more[k] for k in ("dtype",) if k in more}
        return keras.layers.RNN(cls(**{"units": UNITS, **more}), **policy)

    return Case(name, make, floats, (BATCH, UNITS), bad)


SEQUENCE = (BATCH, LENGTH, UNITS)
BAD_UNITS = ({"units": 0}, "units"), ({"units": 2.5}, "units")
BAD_CELL = (
    *BAD_UNITS,
    ({"dropout": 1.0}, "dropout"),
    ({"recurrent_dropout": -0.1}, "recurrent_dropout"),
    ({"dropout": float("nan")}, "dropout"),
    ({"units": "4"}, "units"),
    ({"use_bias": float("nan")}, "use_bias"),
    ({"use_bias": np.ones(3)}, "use_bias"),
    ({"seed": float("nan")}, "seed"),
    ({"kernel_initializer": None}, "kernel_initializer"),
    ({"recurrent_initializer": None}, "recurrent_initializer"),
    ({"bias_initializer": None}, "bias_initializer"),
)
BAD_VOCAB = (
    ({"vocabulary_size": 0}, "vocabulary_size"),
    ({"pad_id": VOCAB}, "pad_id"),
)

CASES = [
    layer(
        "OneHot", ids, (BATCH, LENGTH, VOCAB), BAD_VOCAB, vocabulary_size=VOCAB
    ),
    layer(
        "TokenEmbedding",
        ids,
        SEQUENCE,
        (
            ({"embedding_dim": 0}, "embedding_dim"),
            ({"embedding_dim": 2.5}, "embedding_dim"),
            ({"embeddings_initializer": None}, "embeddings_initializer"),
            *BAD_VOCAB,
        ),
        vocabulary_size=VOCAB,
        embedding_dim=UNITS,
    ),
    cell("SimpleRNNCell", BAD_CELL),
    cell("LSTMCell", BAD_CELL),
    cell("GRUCell", BAD_CELL),
    *[
        layer(
            name,
            floats,
            SEQUENCE,
            (
                *BAD_CELL,
                ({"units_": 3}, "units_"),
                ({"return_sequences": np.ones(3)}, "return_sequences"),
                ({"stateful": float("nan")}, "stateful"),
                ({"zero_output_for_mask": "no"}, "zero_output_for_mask"),
            ),
            units=UNITS,
            return_sequences=True,
        )
        for name in ("SimpleRNN", "LSTM", "GRU")
    ],
    layer(
        "RecurrentLM",
        ids,
        (BATCH, LENGTH, VOCAB),
        (
            *BAD_UNITS,
            *BAD_VOCAB,
            ({"cell": "elman"}, "cell"),
            ({"num_layers": 0}, "num_layers"),
            ({"dropout": 1.5}, "dropout"),
            ({"embedding_dim": 0}, "embedding_dim"),
            ({"tied": True, "embedding_dim": 2}, "tied"),
            ({"tied": None}, "tied"),
            ({"stateful": np.nan}, "stateful"),
        ),
        vocabulary_size=VOCAB,
        units=UNITS,
        num_layers=2,
    ),
]

TRANSLATED = (BATCH, 3, VOCAB)
BAD_TRANSLATOR = (
    *BAD_UNITS,
    ({"source_vocabulary_size": 0}, "source_vocabulary_size"),
    ({"target_vocabulary_size": 0}, "target_vocabulary_size"),
    ({"cell": "elman"}, "cell"),
    ({"num_layers": 0}, "num_layers"),
    ({"dropout": 1.5}, "dropout"),
    ({"end_id": VOCAB}, "end_id"),
)
CASES += [
    layer(
        "Seq2SeqEncoder",
        ids,
        SEQUENCE,
        (
            *BAD_UNITS,
            ({"cell": "elman"}, "cell"),
            ({"bidirectional": None}, "bidirectional"),
            ({"reverse_source": np.ones(2)}, "reverse_source"),
            ({"return_state": np.nan}, "return_state"),
        ),
        vocabulary_size=VOCAB,
        units=UNITS,
    ),
    layer(
        "Seq2SeqDecoder",
        ids,
        (BATCH, LENGTH, VOCAB),
        (
            *BAD_UNITS,
            ({"dropout": 1.5}, "dropout"),
            ({"feed_context": None}, "feed_context"),
        ),
        vocabulary_size=VOCAB,
        units=UNITS,
    ),
    layer(
        "AdditiveAttention",
        query_and_memory,
        (BATCH, 2, UNITS),
        BAD_UNITS,
        units=UNITS,
    ),
    layer(
        "LuongAttention",
        query_and_memory,
        (BATCH, 2, UNITS),
        (
            ({"score_mode": "cosine"}, "score_mode"),
            ({"score_mode": "concat", "scaled": True}, "scaled"),
        ),
    ),
    *[
        layer(
            name,
            sentences,
            TRANSLATED,
            BAD_TRANSLATOR,
            source_vocabulary_size=VOCAB,
            target_vocabulary_size=VOCAB,
            units=UNITS,
        )
        for name in ("Seq2Seq", "BahdanauSeq2Seq", "LuongSeq2Seq")
    ],
]

BAD_BLOCK = (
    ({"hidden_dim": 0}, "hidden_dim"),
    ({"hidden_dim": 2.5}, "hidden_dim"),
    ({"num_heads": 0}, "num_heads"),
    ({"num_heads": 2}, "num_heads"),  # does not divide UNITS
    ({"dropout": 1.0}, "dropout"),
    ({"dropout": 1.5}, "dropout"),
    ({"intermediate_dim": 0}, "intermediate_dim"),
)
BAD_SUBLAYERS = (
    ({"intermediate_dim": 0}, "intermediate_dim"),
    ({"num_heads": 0}, "num_heads"),
    ({"dropout": 1.0}, "dropout"),
    ({"dropout": 1.5}, "dropout"),
    ({"attention_dropout": -0.5}, "attention_dropout"),
    ({"layer_norm_epsilon": 0}, "layer_norm_epsilon"),
)
BAD_DEPTH = ({"stochastic_depth": 1.0}, "stochastic_depth")
CASES += [
    layer(
        "MultiHeadAttention",
        query_and_memory,
        (BATCH, 2, UNITS),
        (
            ({"num_heads": 0}, "num_heads"),
            ({"key_dim": 0}, "key_dim"),
            ({"rotary": True}, "`key_dim` must be even"),
            ({"rotary": 1.5}, "rotary"),
            ({"value_dim": 0}, "value_dim"),
            ({"dropout": 1.5}, "dropout"),
            ({"output_shape": 0}, "output_shape"),
            ({"output_shape": (3, 0)}, "output_shape"),
            ({"attention_axes": (2,)}, "attention_axes"),
            ({"sliding_window": 3}, "sliding_window"),
            ({"flash_attention": True, "dropout": 0.1}, "flash attention"),
            ({"activity_regularizer": "l2"}, "activity_regularizer"),
            ({"use_gate": True}, "use_gate"),
            ({"use_bias": float("nan")}, "use_bias"),
            ({"use_bias": np.ones(2)}, "use_bias"),
            ({"seed": float("nan")}, "seed"),
            ({"kernel_initializer": None}, "kernel_initializer"),
            ({"kernel_initializer": "normals"}, "initializer.*normals"),
            ({"bias_initializer": None}, "bias_initializer"),
        ),
        num_heads=2,
        key_dim=3,
        value_dim=5,
    ),
    layer(
        "SinePositionEncoding",
        floats,
        (BATCH, LENGTH, WIDTH),
        (({"max_wavelength": 0}, "max_wavelength"),),
    ),
    layer(
        "RotaryEmbedding",
        even_floats,
        (BATCH, LENGTH, 2 * UNITS),
        (({"max_wavelength": 0}, "max_wavelength"),),
    ),
    layer(
        "PositionEmbedding",
        floats,
        (BATCH, LENGTH, WIDTH),
        (({"sequence_length": 0}, "sequence_length"),),
        sequence_length=LENGTH,
    ),
    layer(
        "TransformerEncoder",
        wide_floats,
        SEQUENCE,
        (*BAD_SUBLAYERS, BAD_DEPTH),
        intermediate_dim=17,
        num_heads=11,
    ),
    layer(
        "TransformerDecoder",
        query_and_memory,
        (BATCH, 2, UNITS),
        (*BAD_SUBLAYERS, BAD_DEPTH),
        intermediate_dim=17,
        num_heads=1,
        normalize_first=True,
    ),
    layer(
        "Transformer",
        sentences,
        TRANSLATED,
        (
            *BAD_BLOCK,
            ({"source_vocabulary_size": 0}, "source_vocabulary_size"),
            ({"target_vocabulary_size": 0}, "target_vocabulary_size"),
            ({"target_vocabulary_size": 7, "shared": True}, "shared"),
            ({"num_layers": 0}, "num_layers"),
            ({"position_encoding": "waves"}, "position_encoding"),
            ({"end_id": VOCAB}, "end_id"),
        ),
        source_vocabulary_size=VOCAB,
        target_vocabulary_size=VOCAB,
        hidden_dim=UNITS,
        num_heads=1,
        num_layers=1,
        dropout=0.0,
    ),
    layer(
        "GPT",
        ids,
        (BATCH, LENGTH, VOCAB),
        (
            *BAD_BLOCK,
            *BAD_VOCAB,
            ({"num_layers": 0}, "num_layers"),
            ({"max_sequence_length": 0}, "max_sequence_length"),
            ({"position_encoding": "sinusoidal"}, "position_encoding"),
        ),
        vocabulary_size=VOCAB,
        hidden_dim=UNITS,
        num_heads=1,
        num_layers=1,
        max_sequence_length=LENGTH,
        dropout=0.0,
    ),
]


def pairs():
    """Draw two texts in a row of ids, and three places to be guessed."""
    segments = np.repeat([[0, 0, 1, 1, 1]], BATCH, axis=0).astype("int32")
    return {"token_ids": ids(), "segment_ids": segments}


def questions():
    places = np.array([[1, 2], [0, 0], [3, 4]], "int32")
    return {**pairs(), "mask_positions": places}


def texts():
    """Draw a row of ids that may be answers, all but the last."""
    x = np.random.default_rng(0).integers(1, VOCAB, (BATCH, LENGTH), "int32")
    return {"token_ids": x, "segment_ids": np.ones_like(x)}


def on_bert(name, inputs, shape, bad=(), **arguments):
    """A model on top of a BERT, which is made anew each time."""
    cls = public(name)

    def make(**more):
        policy = {k: more[k] for k in ("dtype",) if k in more}
        bert = keras_seq.models.BERT(**SMALL_BERT, **policy)
        return cls(**{"bert": bert, **arguments, **more})

    bad = (*bad, ({"bert": None}, "bert"))
    return Case(name, make, inputs, shape, bad)


SMALL_BERT = {
    "vocabulary_size": VOCAB,
    "hidden_dim": UNITS,
    "num_heads": 1,
    "num_layers": 1,
    "max_sequence_length": LENGTH,
    "dropout": 0.0,
}
BAD_HEAD = (
    ({"num_classes": 0}, "num_classes"),
    ({"dropout": 1.0}, "dropout"),
)
CASES += [
    layer(
        "BERT",
        pairs,
        {"sequence_output": SEQUENCE, "pooled_output": (BATCH, UNITS)},
        (
            *BAD_BLOCK,
            *BAD_VOCAB,
            ({"num_layers": 0}, "num_layers"),
            ({"max_sequence_length": 0}, "max_sequence_length"),
            ({"num_segments": 0}, "num_segments"),
        ),
        **SMALL_BERT,
    ),
    layer(
        "MaskedLMHead",
        wide_floats,
        (BATCH, LENGTH, VOCAB),
        (
            ({"vocabulary_size": 0}, "vocabulary_size"),
            ({"vocabulary_size": None}, "vocabulary_size"),
            ({"layer_norm_epsilon": 0}, "layer_norm_epsilon"),
        ),
        vocabulary_size=VOCAB,
    ),
    layer("NextSentenceHead", first_vectors, (BATCH, 2)),
    on_bert(
        "BERTPretrainer",
        questions,
        {"masked_lm": (BATCH, 2, VOCAB), "next_sentence": (BATCH, 2)},
    ),
    on_bert(
        "BERTClassifier",
        pairs,
        (BATCH, 7),
        (*BAD_HEAD, ({"pooling": "max"}, "pooling")),
        num_classes=7,
    ),
    on_bert("BERTTagger", pairs, (BATCH, LENGTH, 7), BAD_HEAD, num_classes=7),
    on_bert(
        "BERTSpanQA",
        texts,
        {"start": (BATCH, LENGTH), "end": (BATCH, LENGTH)},
    ),
]


def images():
    """Draw images of two by three patches, each 3 x 5 pixels."""
    x = np.random.default_rng(0).normal(size=(BATCH, 6, 15, 2))
    return x.astype("float32")


def captioned_images():
    """Draw images of whole numbers, and captions of three tokens."""
    pixels = (40 * images() + 128).clip(0, 255).astype("uint8")
    return {"images": pixels, "target": sentences()["target"]}


SMALL_VIT = {
    "num_classes": 7,
    "hidden_dim": UNITS,
    "image_size": (6, 15),
    "patch_size": (3, 5),
    "num_heads": 1,
    "num_layers": 1,
    "channels": 2,
}
BAD_PATCH = (
    ({"patch_size": 0}, "patch_size"),
    ({"patch_size": (3, 5, 2)}, "patch_size"),
)
CASES += [
    layer(
        "ResNet",
        images,
        (BATCH, 7),
        (
            ({"num_classes": 0}, "num_classes"),
            ({"filters": 16}, "filters"),
            ({"filters": ()}, "filters"),
            ({"filters": (4, 2.5)}, "filters"),
            ({"filters": (4, 3)}, "filters"),
            ({"num_blocks": 0}, "num_blocks"),
            ({"input_strides": 0}, "input_strides"),
            ({"channels": 0}, "channels"),
        ),
        num_classes=7,
        filters=(3, 5),
        num_blocks=1,
        channels=2,
    ),
    layer(
        "ImageCaptioner",
        captioned_images,
        TRANSLATED,
        (
            *BAD_UNITS,
            ({"target_vocabulary_size": 0}, "target_vocabulary_size"),
            ({"cell": "elman"}, "cell"),
            ({"dropout": 1.5}, "dropout"),
            ({"end_id": VOCAB}, "end_id"),
            ({"pad_id": 2}, "start_id"),
            ({"filters": (4, 3)}, "filters"),
            ({"num_blocks": 0}, "num_blocks"),
        ),
        target_vocabulary_size=VOCAB,
        units=UNITS,
        filters=(3, 5),
        channels=2,
    ),
    layer("Patches", images, (BATCH, 6, 30), BAD_PATCH, patch_size=(3, 5)),
    layer(
        "PatchDropout",
        wide_floats,
        SEQUENCE,
        (
            ({"rate": 1.0}, "rate"),
            ({"rate": -0.5}, "rate"),
            ({"spared": -1}, "spared"),
        ),
        rate=0.5,
        spared=1,
    ),
    layer(
        "PatchEmbedding",
        images,
        (BATCH, 7, UNITS),
        (
            *BAD_PATCH,
            ({"hidden_dim": 0}, "hidden_dim"),
            ({"channels": 0}, "channels"),
            ({"image_size": 2.5}, "image_size"),
            ({"class_token": None}, "class_token"),
            ({"position_encoding": "waves"}, "position_encoding"),
        ),
        hidden_dim=UNITS,
        patch_size=(3, 5),
        image_size=(6, 15),
        channels=2,
    ),
    layer(
        "ViT",
        images,
        (BATCH, 7),
        (
            *BAD_BLOCK,
            *BAD_PATCH,
            BAD_DEPTH,
            ({"patch_dropout": 1.0}, "patch_dropout"),
            ({"patch_size": 4}, "patch_size"),  # does not divide the images
            ({"image_size": 2.5}, "image_size"),
            ({"num_classes": 0}, "num_classes"),
            ({"num_layers": 0}, "num_layers"),
            ({"channels": 0}, "channels"),
            ({"pooling": "max"}, "pooling"),
            ({"position_encoding": "waves"}, "position_encoding"),
            (
                {"position_encoding": "sinusoidal"},
                "hidden_dim",
            ),  # not a multiple of 4
        ),
        **SMALL_VIT,
    ),
    layer(
        "ViT",
        images,
        (BATCH, 7),
        **{**SMALL_VIT, "hidden_dim": 12},
        pooling="mean",
        position_encoding="sinusoidal",
    ),
]

# Public names that are no layers; each has tests of its own.
PLAIN = {
    "AutoregressiveModel",
    "segment_mask",
    "BERTTask",
    "BeamSearch",
    "ChronoInitializer",
    "Generated",
    "Greedy",
    "Sampler",
    "Sampling",
    "ScheduledSampling",
    "SearchState",
    "WithoutCache",
    "attend",
    "best_span",
    "causal_mask",
    "generate",
    "generate_speculatively",
    "padding_mask",
    "sinusoidal_positions",
    "sinusoidal_positions_2d",
}
