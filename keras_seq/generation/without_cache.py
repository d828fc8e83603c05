"""WithoutCache: reading everything again, to see what a state is worth.

A recurrent network carries a state from token to token, and a Transformer the
keys and values of all it has read: the next token costs one step. Without
either, the whole text is read again for every token that is said. The words
are the same; the time is not.

    logits_t = model([prompt ; y_1 ... y_{t-1} ; padding])_t     # at each step

Shapes: B batch, T length of the prompts, V vocabulary.
Paper: none; it is what everybody writes first.
Differs from the paper: nothing.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.generation.prompts import max_prompt_length, split_prompt


class WithoutCache(keras.Model):
    """Speak by reading all that was said again, at each step.

    What a model without `start` and `step` would have to do. It says the same
    as the model it is made of, and takes longer with every token: to measure
    what a state or a cache is worth.

    Args:
        model: a built language model, ids int (B, T) -> logits (B, T, V).
    Call arguments:
        ids: int (B, T).
    Returns:
        float (B, T, V), the logits of `model`.
    Raises:
        ValueError: if `model` has no weights yet, or is stateful.
    """

    def __init__(self, model, **kwargs):
        super().__init__(**kwargs)
        checks.built(model)
        if (getattr(model, "config", None) or {}).get("stateful"):
            raise ValueError(
                "`model` must not be stateful: it would go on where it should "
                f"begin anew. Received model={model!r}."
            )
        self.model, self.pad_id = model, getattr(model, "pad_id", None)
        self.built = True

    def call(self, ids):
        return self.model(ids)

    def start(self, prompt, max_length=None):
        """Make room behind the prompts, int (B, T), padded on any side."""
        prompt = ops.cast(prompt, "int32")
        last, before = split_prompt(prompt, self.pad_id)
        gapless = self.pad_id is None  # the last of the prompt is written over
        fill = 0 if gapless else self.pad_id
        room = ((0, 0), (0, max_length - gapless))
        said = ops.pad(
            ops.where(before, prompt, fill), room, constant_values=fill
        )
        slot = ops.full_like(last, ops.shape(prompt)[1] - gapless)
        return last, {"said": said, "slot": slot}

    def max_prompt_length(self, max_length):
        """Return the longest prompt that `max_length` tokens may follow."""
        limit = max_prompt_length(self.model, max_length)
        if limit is None:
            return None
        return limit - (self.pad_id is not None)

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        slot = state["slot"][0]
        at = (ops.zeros_like(slot), slot)
        said = ops.slice_update(state["said"], at, ids[:, None])
        logits = ops.take(self.model(said), slot, axis=1)
        return logits, {"said": said, "slot": state["slot"] + 1}
