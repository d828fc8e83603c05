"""SearchState: everything that the decoding loop carries from step to step.

Compiled loops need fixed shapes, so there are no growing lists. The generated
tokens are written into a buffer of fixed length, one column a step, and every
tensor keeps its shape.

    generated_ids[:, t] = last_ids               # at step t
    finished = finished or last_ids == end_id

Shapes: B batch, W beams of a row (1 except in beam search), R = B * W rows,
    L generated length, S source length.
Paper: none.
Differs from the paper: nothing.
"""

import typing

import keras
from keras import ops


class SearchState(typing.NamedTuple):
    """Hold the state of a decoding loop.

    Attributes:
        step: int32 scalar, number of steps taken, t.
        last_ids: int32 (R,), the newest token of each row, the input of the
            next step.
        finished: bool (R,), True after the end token.
        generated_ids: int32 (R, L), the generated tokens; padding elsewhere.
        lengths: int32 (R,), number of generated tokens, the end included.
        scores: float32 (R,), sum of the tokens' log-probabilities.
        model_state: nest of tensors whose first axis is R, the state that
            the model's `step` returned.
        attention: float32 (R, L, S), cross-attention weights of each step; or
            () if the model has none.
    Example:
        >>> sampler = Greedy()
        >>> search = SearchState(
        ...     step=0, last_ids=np.array([2, 2]), finished=np.array([0, 0]),
        ...     generated_ids=np.zeros((2, 5)), lengths=np.array([0, 0]),
        ...     scores=np.zeros(2), model_state={},
        ... )
        >>> search.has_attention
        False
    """

    step: typing.Any
    last_ids: typing.Any
    finished: typing.Any
    generated_ids: typing.Any
    lengths: typing.Any
    scores: typing.Any
    model_state: typing.Any
    attention: typing.Any = ()

    @property
    def has_attention(self):
        """Whether the model returns cross-attention weights."""
        return _has(self.model_state, "attention")

    def reorder(self, parents):
        """Continue each row from its parent, int (B, W); None changes nothing.

        All beams of a row share its source, so `model_state["source"]` stays.
        """
        if parents is None:
            return self
        rows = beam_rows(parents, parents.shape[1])
        source, rest = {}, self.model_state
        if _has(rest, "source"):
            source = {"source": rest["source"]}
            rest = {k: v for k, v in rest.items() if k != "source"}
        parts = tuple(self._replace(model_state=rest))[1:]  # all but `step`
        parts = keras.tree.map_structure(
            lambda x: ops.take(x, rows, axis=0), parts
        )
        moved = SearchState(self.step, *parts)
        if source:
            moved = moved._replace(model_state={**moved.model_state, **source})
        return moved

    def append(self, ids, scores, end_id):
        """Write the next tokens, int32 (R,), into the buffers.

        Args:
            ids: int32 (R,).
            scores: float32 (R,), the new scores.
            end_id: int or None, the end token.
        Returns:
            `SearchState` of the next step.
        """
        growing = ops.logical_not(self.finished)
        column = (ops.zeros_like(self.step), self.step)  # JAX: of one dtype
        finished, attention = self.finished, self.attention
        if end_id is not None:
            finished = ops.logical_or(finished, ids == end_id)
        if self.has_attention:
            weights = ops.cast(self.model_state["attention"], "float32")
            weights = ops.where(growing[:, None], weights, 0.0)[:, None]
            attention = ops.slice_update(
                attention, (*column, column[0]), weights
            )
        return self._replace(
            step=self.step + 1,
            last_ids=ids,
            finished=finished,
            generated_ids=ops.slice_update(
                self.generated_ids, column, ids[:, None]
            ),
            lengths=self.lengths + ops.cast(growing, self.lengths.dtype),
            scores=scores,
            attention=attention,
        )


def initial_search_state(ids, model_state, scores, max_length, fill_id):
    """Allocate the buffers of a search.

    Args:
        ids: int (R,), the input of the first step.
        model_state: nest of tensors whose first axis is R.
        scores: float32 (R,).
        max_length: int > 0, L.
        fill_id: int, what the buffer of ids holds before it is written.
    Returns:
        `SearchState`.
    """
    ids = ops.cast(ids, "int32")
    rows = ops.shape(ids)[0]
    attention = ()
    if _has(model_state, "attention"):
        source_length = ops.shape(model_state["attention"])[1]
        attention = ops.zeros((rows, max_length, source_length), "float32")
    return SearchState(
        step=ops.convert_to_tensor(0, dtype="int32"),
        last_ids=ids,
        finished=ops.zeros_like(ids, dtype="bool"),
        generated_ids=ops.full((rows, max_length), fill_id, dtype="int32"),
        lengths=ops.zeros_like(ids),
        scores=scores,
        model_state=model_state,
        attention=attention,
    )


def beam_rows(beams, num_beams):
    """Convert beam numbers to row numbers.

    Args:
        beams: int (B, N), below `num_beams`.
        num_beams: int > 0, W.
    Returns:
        int32 (B * N,), below B * W.
    """
    rows = ops.arange(ops.shape(beams)[0], dtype="int32")[:, None] * num_beams
    return ops.reshape(rows + ops.cast(beams, "int32"), (-1,))


def _has(model_state, key):
    return isinstance(model_state, dict) and key in model_state
