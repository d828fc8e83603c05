"""Generation: how a trained model speaks, one token after the other.

A model gives logits for the next token; a sampler picks one; the token goes
back in. The loop is the same for every model of this library. A model that
can be generated from offers two methods:

    start(inputs) -> (ids, state)       # what to feed first, and the memory
    step(ids, state) -> (logits, state) # one step: (B,) -> (B, V)

and a `pad_id`, which is never picked. It may have an `end_id`, the default of
`generate`; a `start(inputs, max_length=)`, to be told how often `step` will be
called; `max_prompt_length(max_length)`, the most it reads, or None; a
`config` with "source_vocabulary_size" or "vocabulary_size", to refuse other
ids. `state` is any nest of tensors whose first axis is the batch. Where it is a
dict, "attention" is float (B, S), where the step has looked (zeros at the
start), and "source" holds what no step changes, with its "mask", bool (B, S).
The whole loop is compiled, writes into a buffer of fixed length, ends for each
row at its own end token, and for all rows when the last has ended.

Shapes: B batch, W beams of a row (1 but in beam search), R = B * W rows,
    L generated length, V vocabulary, S source length.
Paper: none.
Differs from the paper: nothing.
"""

import dataclasses
import functools
import typing

import keras
import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.generation.prompts import check_input_length
from keras_seq.generation.samplers import NEVER, Greedy, Sampling, beam_rows

GREEDY = Greedy()


class Generated(typing.NamedTuple):
    """What a model said, how likely it found it, and where it looked.

    Attributes:
        ids: int (B, L), the new tokens; padding after the end token.
        scores: float (B,), sum of the log-probabilities of those tokens in
            nats, under the model (not under a temperature) with what the
            sampler forbids left out.
        attention: float (B, L, S), the weight of each source token at each
            step, 0 after the end; None where the model has no attention.
    With `BeamSearch(return_all=True)` an axis W follows each B.
    """

    ids: typing.Any
    scores: typing.Any
    attention: typing.Any = None


def generate(model, inputs, sampler=GREEDY, *, max_length, end_id=None):
    """Let a model continue a batch of inputs.

    Args:
        model: a built model with `start` and `step`.
        inputs: what the model's `start` takes: prompt ids, int (B, T), for a
            language model; source ids, int (B, S), for a translator.
        sampler: `Greedy(...)`, the default, `Sampling(...)` or
            `BeamSearch(...)`.
        max_length: int > 0, the most tokens to add.
        end_id: optional int, the token that ends a row; it is kept, and
            padding follows (where the model has no `pad_id`: more of it).
            Default: the model's own `end_id`, if it has one.
    Returns:
        `Generated(ids, scores, attention)`, NumPy int (B, max_length), float
        (B,), and float (B, max_length, S) or None.
    Raises:
        ValueError: if `inputs` are no ids, or more than the model reads,
            `max_length` is no int > 0, `sampler` is none, `end_id` is no token
            that can be picked, or the model has no weights yet,
            or no `start` and `step`.
    """
    max_length = checks.positive_int(max_length=max_length)
    check_speaker(model, sampler, end_id)
    if isinstance(inputs, (list, tuple)):
        widths = {np.shape(row) for row in inputs}
        if len(widths) != 1:
            raise ValueError(
                "`inputs` must be rows of one length: pad them. Received rows "
                f"of shapes {sorted(widths)}."
            )
        inputs = np.asarray(inputs)
    inputs = keras.tree.map_structure(np.asarray, inputs)
    check_input_ids(model, keras.tree.flatten(inputs))
    if np.ndim(inputs) == 2:  # a compiled loop may not know the length
        check_input_length(model, inputs.shape[1], max_length)
    batch = len(keras.tree.flatten(inputs)[0])
    noise = ops.convert_to_numpy(sampler.noise((batch, max_length)))
    if isinstance(sampler, Sampling):  # compile once for all seeds
        sampler = dataclasses.replace(sampler, seed=None)
    count = len(model.variables)  # other ones: another trace
    speaker = _compiled(model, count, sampler, max_length, end_id)
    return Generated(
        *speaker.predict_on_batch({"inputs": inputs, "noise": noise})
    )


def vocabulary(model, name):
    """Find out how many ids a model knows; None where it does not say."""
    config = getattr(model, "config", None) or {}
    return config.get(name, config.get("vocabulary_size"))


def check_input_ids(model, inputs):
    """Refuse what is no id, or none of the model's, where it says how many."""
    size = vocabulary(model, "source_vocabulary_size")
    for ids in inputs:
        if ids.dtype.kind not in "iu" or not ids.ndim or not len(ids):
            raise ValueError(
                "`inputs` must be int ids, one row or more. Received "
                f"{ids.dtype} of shape {ids.shape}."
            )
        low, high = ids.min(initial=0), ids.max(initial=0)
        if low < 0 or (size is not None and high >= size):
            below = "" if size is None else f", below {size}"
            raise ValueError(
                f"`inputs` must be ids >= 0{below}. Received {low} to {high}."
            )


def check_speaker(model, sampler, end_id):
    """Refuse what cannot speak, what is no way to, or no possible end."""
    if not (hasattr(model, "start") and hasattr(model, "step")):
        raise ValueError(
            "`model` must offer start(inputs) and step(ids, state). "
            f"Received model={model!r}."
        )
    checks.built(model)
    if not hasattr(sampler, "pick") or isinstance(sampler, type):
        raise ValueError(
            "`sampler` must be Greedy(), Sampling() or BeamSearch(). "
            f"Received sampler={sampler!r}."
        )
    if end_id is not None:
        checks.not_negative_int(end_id=end_id)


def decode(model, inputs, noise, sampler, max_length, end_id=None):
    """Run the loop of `generate` on tensors, inside any compiled function."""
    end_id = getattr(model, "end_id", None) if end_id is None else int(end_id)
    fill = next(i for i in (model.pad_id, end_id, 0) if i is not None)
    noise = ops.repeat(noise, sampler.width, axis=0)

    def unfinished(search):
        return ops.logical_not(ops.all(search["ended"]))

    def one_step(search):
        t, state = search["t"], search["state"]
        logits, state = model.step(search["ids"], state)
        logits = ops.cast(logits, "float32")
        _check_end(end_id, logits.shape[-1], model.pad_id)
        logits = sampler.restrict(logits, search["said"], t, end_id)
        if model.pad_id is not None:
            is_pad = ops.arange(logits.shape[-1]) == model.pad_id
            logits = ops.where(is_pad, NEVER, logits)
        log_p = ops.log_softmax(logits, axis=-1)
        ids, score, parent = sampler.pick(
            search, log_p, ops.take(noise, t, axis=1), fill
        )
        search = _reorder({**search, "state": state}, parent)
        search = {**search, "t": t + 1, "ids": ids, "score": score}
        return _write(search, t, end_id)

    search = _begin(model, inputs, sampler, max_length, fill)
    search = ops.while_loop(
        unfinished, one_step, search, maximum_iterations=max_length
    )
    return Generated(*sampler.finish(search, fill))


def _check_end(end_id, vocabulary_size, pad_id):
    if end_id is not None and (end_id >= vocabulary_size or end_id == pad_id):
        raise ValueError(
            "`end_id` must be a token other than padding. Received "
            f"end_id={end_id}, {vocabulary_size} tokens, pad_id={pad_id}."
        )


def _begin(model, inputs, sampler, max_length, fill):
    """Make the buffers of a search; every array but `t` has R rows."""
    ids, state = model.start(inputs, max_length)
    ids, state = keras.tree.map_structure(
        lambda x: ops.repeat(x, sampler.width, axis=0), (ids, state)
    )
    ids = ops.cast(ids, "int32")
    rows = ops.shape(ids)[0]
    search = {
        "t": ops.convert_to_tensor(0, dtype="int32"),
        "ids": ids,  # the last token of each row, (R,)
        "ended": ops.zeros_like(ids, dtype="bool"),
        "said": ops.full((rows, max_length), fill, dtype="int32"),
        "length": ops.zeros_like(ids),  # tokens said, the end included
        "score": sampler.begin(ids),
        "state": state,
    }
    if isinstance(state, dict) and "attention" in state:
        size = ops.shape(state["attention"])[1]
        shape = (rows, max_length, size)
        search["attention"] = ops.zeros(shape, dtype="float32")
    return search


def _reorder(search, parent):
    """Let each beam go on from its parent, int (B, W)."""
    if parent is None:
        return search
    rows = beam_rows(parent, parent.shape[1])

    def take(part):
        return keras.tree.map_structure(lambda x: ops.take(x, rows, 0), part)

    state = search["state"]
    if isinstance(state, dict) and "source" in state:  # the same in all beams
        state = {k: v if k == "source" else take(v) for k, v in state.items()}
    else:
        state = take(state)
    moved = {k: take(v) for k, v in search.items() if k not in ("t", "state")}
    return {**moved, "t": search["t"], "state": state}


def _write(search, t, end_id):
    """Write the step's tokens into the buffers, and see who has ended."""
    going = ops.logical_not(search["ended"])
    ids, length = search["ids"], search["length"]
    zero = ops.zeros_like(t)  # of the same type, which JAX asks for
    new = {
        "said": ops.slice_update(search["said"], (zero, t), ids[:, None]),
        "length": length + ops.cast(going, length.dtype),
    }
    if "attention" in search:
        weights = ops.cast(search["state"]["attention"], "float32")
        weights = ops.where(going[:, None], weights, 0.0)[:, None]
        new["attention"] = ops.slice_update(
            search["attention"], (zero, t, zero), weights
        )
    if end_id is not None:
        new["ended"] = ops.logical_or(search["ended"], ids == end_id)
    return {**search, **new}


class _Speaker(keras.Model):
    """The loop as a model, so that `predict_on_batch` compiles it."""

    def __init__(self, model, *settings):
        super().__init__(name="speaker", dtype="float32")
        self.model = model
        self.settings = settings

    def call(self, data):
        found = decode(
            self.model, data["inputs"], data["noise"], *self.settings
        )
        return [x for x in found if x is not None]


# The last few are kept, so that a sample after each epoch compiles once; and
# so are their models, until others take their places.
@functools.lru_cache(maxsize=8)
def _compiled(model, count, *settings):
    return _Speaker(model, *settings)
