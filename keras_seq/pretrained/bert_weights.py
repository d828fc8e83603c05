"""BERT's tensors: one table pairs them with our weights, for both ways.

Their kernels are (out, in), the transpose of ours, and the heads stand side
by side where ours have an axis of their own:

    theirs                                      ours
    attention.self.query.weight    (D, D)       kernels["query"]   (D, H, K)
    attention.output.dense.weight  (D, D)       kernels["output"]  (H, K, D)
    intermediate.dense.weight      (F, D)       network.inner      (D, F)
    word_embeddings.weight         (V, D)       embedding          (V, D)

Shapes: V vocabulary, P positions, G segments, D width, H heads, K head width,
    F inner width.
"""

import typing

from keras import ops

from keras_seq.bert import BERT, BERTPretrainer
from keras_seq.fine_tuning import BERTSpanQA


class Weight(typing.NamedTuple):
    """Pair a weight of ours with a tensor of theirs."""

    name: str  # theirs, without "bert."
    variable: typing.Any  # ours
    shape: tuple  # theirs
    turned: bool = False  # theirs is a kernel (out, in)

    def assign(self, x):
        """Take the values of their tensor, a NumPy array."""
        x = x.T if self.turned else x
        self.variable.assign(x.reshape(self.variable.shape))

    def numpy(self):
        """Give the values as their tensor has them."""
        x = ops.convert_to_numpy(ops.cast(self.variable, "float32"))
        if self.turned:
            return x.reshape(self.shape[::-1]).T
        return x.reshape(self.shape)


def bert_weights(bert, pooler=True):
    """Give each `Weight` of a `BERT`; `pooler` says whether of that, too."""
    V, D, P, G = (
        bert.config[name]
        for name in ("vocab_size", "units", "max_length", "num_segments")
    )
    for name, layer, rows in (
        ("word", bert.embedding, V),
        ("position", bert.positions, P),
        ("token_type", bert.segments, G),
    ):
        name = f"embeddings.{name}_embeddings.weight"
        yield Weight(name, layer.embeddings, (rows, D))
    yield from _norm("embeddings.LayerNorm", bert.norm, D)
    for i, block in enumerate(bert.blocks):
        at, attention = f"encoder.layer.{i}.", block.attentions[0]
        for ours, theirs in (
            ("query", "self.query"),
            ("key", "self.key"),
            ("value", "self.value"),
            ("output", "output.dense"),
        ):
            name = f"{at}attention.{theirs}"
            kernel = attention.kernels[ours]
            yield Weight(f"{name}.weight", kernel, (D, D), turned=True)
            yield Weight(f"{name}.bias", attention.biases[ours], (D,))
        inner, outer = block.network.inner, block.network.outer
        yield from _dense(f"{at}intermediate.dense", inner, inner.units, D)
        yield from _dense(f"{at}output.dense", outer, D, inner.units)
        after = block.residuals
        yield from _norm(f"{at}attention.output.LayerNorm", after[0].norm, D)
        yield from _norm(f"{at}output.LayerNorm", after[1].norm, D)
    if pooler and bert.pooler is not None:
        yield from _dense("pooler.dense", bert.pooler, D, D)


def head_weights(model):
    """Give each `Weight` of what stands on a `BERT`, which has none alone."""
    if isinstance(model, BERT):
        return
    D, V = (model.bert.config[name] for name in ("units", "vocab_size"))
    if isinstance(model, BERTPretrainer):
        at = "cls.predictions."
        yield from _dense(f"{at}transform.dense", model.transform, D, D)
        yield from _norm(f"{at}transform.LayerNorm", model.norm, D)
        yield Weight(f"{at}bias", model.bias, (V,))
        if model.next_sentence:
            yield from _dense("cls.seq_relationship", model.next, 2, D)
    else:
        name = "qa_outputs" if isinstance(model, BERTSpanQA) else "classifier"
        yield from _dense(name, model.head, model.head.units, D)


def _dense(name, layer, out, width):
    yield Weight(f"{name}.weight", layer.kernel, (out, width), turned=True)
    yield Weight(f"{name}.bias", layer.bias, (out,))


def _norm(name, layer, D):
    yield Weight(f"{name}.weight", layer.gamma, (D,))
    yield Weight(f"{name}.bias", layer.beta, (D,))
