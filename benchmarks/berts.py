"""BERTs of one size with the same weights: ours and other libraries'.

Sizes are `{"vocab", "units", "heads", "layers", "length"}`; the feed-forward
network is 4 * units wide. None has dropout, because each library draws random
numbers in its own way; all use Adam with Keras's settings.

    MLM            ours without next sentence prediction, and KerasHub's
                   `BertMaskedLM`
    MLM and NSP    ours with it, and `transformers`' `BertForPreTraining`
"""

import tempfile

import keras

from keras_seq import pretrained
from keras_seq.models import BERT, BERTPretrainer
from keras_seq.training import TokenCrossEntropy

RATE, EPSILON = 1e-4, 1e-7  # Adam's
WORDS, BOTH = "MLM", "MLM and NSP"


def adam():
    """Make the optimizer of the Keras models."""
    return keras.optimizers.Adam(RATE, epsilon=EPSILON)


def ours(sizes, dtype, objective):
    """Make our BERT for one or both objectives, built and compiled."""
    both = objective == BOTH
    bert = BERT(
        sizes["vocab"],
        sizes["units"],
        num_heads=sizes["heads"],
        num_layers=sizes["layers"],
        max_sequence_length=sizes["length"],
        dropout=0.0,
        activation="gelu" if both else "gelu_tanh",
        dtype=dtype,
    )
    model = BERTPretrainer(bert, next_sentence=both)
    model.build()
    loss = {"masked_lm": TokenCrossEntropy()}
    if both:
        loss["next_sentence"] = TokenCrossEntropy(pad_id=None)
    else:  # the head as KerasHub has it
        model.masked_lm_head.intermediate_dense.activation = (
            keras.activations.gelu
        )
        model.masked_lm_head.layer_norm.epsilon = 1e-5
    model.compile(adam(), loss)
    return model


def of_keras_hub(sizes, dtype):
    """Make KerasHub's `BertMaskedLM`, from ids, with the loss it comes with."""
    from keras_hub.models import BertBackbone, BertMaskedLM

    backbone = BertBackbone(
        vocabulary_size=sizes["vocab"],
        num_layers=sizes["layers"],
        num_heads=sizes["heads"],
        hidden_dim=sizes["units"],
        intermediate_dim=4 * sizes["units"],
        dropout=0.0,
        max_sequence_length=sizes["length"],
        dtype=dtype,
    )
    backbone.pooled_dense.trainable = False  # unused, as ours is
    model = BertMaskedLM(backbone, preprocessor=None)
    model.compile(adam(), weighted_metrics=None)
    return model


def of_transformers(mine):
    """Make `transformers`' `BertForPreTraining` with our weights.

    Args:
        mine: `BERTPretrainer` with both objectives.
    """
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        pretrained.save(mine, folder)
        return transformers.BertForPreTraining.from_pretrained(folder).train()


def in_keras_hub_order(weights):
    """Reorder our weights: in KerasHub both norms of a block come first."""
    words, segments, positions, *rest = weights
    norm, blocks, heads = rest[:2], rest[2:-7], rest[-7:]
    ordered = [words, positions, segments, *norm]
    for i in range(0, len(blocks), 16):
        block = blocks[i : i + 16]
        ordered += [*block[:10], *block[14:], *block[10:14]]
    return [*ordered, *heads]
