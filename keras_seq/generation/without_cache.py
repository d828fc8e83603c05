"""WithoutCache: generate by recomputing the whole prefix at each step.

A recurrent network carries its hidden state from token to token, and a
Transformer the keys and values of all earlier tokens (the key-value cache), so
the next token costs one step. Without a state or a cache the whole prefix is
recomputed for every token: the result is the same, but slower.

    logits_t = model([prompt ; y_1 ... y_{t-1} ; padding])[last token]

Shapes: B batch, T length of the prompts, V vocabulary.
Paper: none.
Differs from the paper: nothing.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.generation.prompts import max_prompt_length, split_prompt


class WithoutCache(keras.Model):
    """Generate with a language model, recomputing the prefix at each step.

    The generated tokens are those of the model itself, but each takes longer
    than the one before: use this to measure what a hidden state or a
    key-value cache saves.

    Args:
        model: a built language model, ids int (B, T) -> logits (B, T, V).
    Call arguments:
        ids: int (B, T).
    Returns:
        float (B, T, V), the logits of `model`.
    Raises:
        ValueError: if `model` is not built, or is stateful.
    Example:
        >>> model = keras_seq.models.RecurrentLM(13, 7)
        >>> prompt = np.array([[5, 4, 3]])
        >>> tuple(model(prompt).shape)
        (1, 3, 13)
        >>> fast = generate(model, prompt, max_length=4).ids
        >>> slow = generate(WithoutCache(model), prompt, max_length=4).ids
        >>> np.array_equal(fast, slow)
        True
    """

    def __init__(self, model, **kwargs):
        super().__init__(**kwargs)
        checks.built(model)
        if (getattr(model, "config", None) or {}).get("stateful"):
            raise ValueError(
                "`model` must not be stateful: it would continue from its "
                "last batch instead of reading the prefix from the start. "
                f"Received model={model!r}."
            )
        self.model, self.pad_id = model, getattr(model, "pad_id", None)
        self.built = True

    def call(self, ids):
        return self.model(ids)

    def start(self, prompt, max_length=None):
        """Allocate the buffer of all ids.

        Args:
            prompt: int (B, T), T > 0; rows may be padded on either side.
            max_length: int > 0, how many times `step` will be called.
        Returns:
            int (B,), the last token of each row, and the state: a dict of
            "ids", int (B, T + max_length), and "index", int (B,), the column
            that the next token is written to.
        """
        checks.positive_int(max_length=max_length)
        prompt = ops.cast(prompt, "int32")
        last, before = split_prompt(prompt, self.pad_id)
        # Without padding the last token of the prompt keeps its column.
        no_padding = self.pad_id is None
        fill_id = 0 if no_padding else self.pad_id
        padding = ((0, 0), (0, max_length - no_padding))
        ids = ops.pad(
            ops.where(before, prompt, fill_id), padding, constant_values=fill_id
        )
        index = ops.full_like(last, ops.shape(prompt)[1] - no_padding)
        return last, {"ids": ids, "index": index}

    def step(self, ids, state):
        """Predict the next token: int (B,) -> logits (B, V), new state."""
        index = state["index"][0]
        start = (ops.zeros_like(index), index)
        prefix = ops.slice_update(state["ids"], start, ids[:, None])
        logits = ops.take(self.model(prefix), index, axis=1)
        return logits, {"ids": prefix, "index": state["index"] + 1}

    def max_prompt_length(self, max_length):
        """Return the longest prompt that `max_length` tokens may follow."""
        limit = max_prompt_length(self.model, max_length)
        if limit is None:
            return None
        return limit - (self.pad_id is not None)
