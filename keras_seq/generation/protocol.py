"""AutoregressiveModel: the interface between a model and the decoding loop.

A generative model predicts one token at a time. Reading the prompt is done
once; after that each step needs only the newest token and a state: the hidden
state of a recurrent network, or the key-value cache of a Transformer. Any
object with `start` and `step` works with `generate`, with every sampler,
and with `keras_seq.export`.

    ids_0, state_0      = start(inputs, max_length)
    logits_t, state_t+1 = step(ids_t, state_t)

Shapes: B batch, T prompt length, S source length, V vocabulary.
Paper: none.
Differs from the paper: nothing.
"""

import typing


class AutoregressiveModel(typing.Protocol):
    """Describe what `generate` needs of a model.

    This class documents the interface. A model does not inherit from it; it
    is a built `keras.Model` with these attributes and methods.

    `end_id`, `extend_state`, `max_prompt_length` and `config` are optional. A
    `config` is a dict; its "vocabulary_size" (or "source_vocabulary_size", for
    an encoder-decoder) lets `generate` validate the input ids. The methods
    `call_with_cache` and `trim_cache` are only for `generate_speculatively`.

    Attributes:
        pad_id: int or None, the id of padding. Padding is never generated.
            Extra padding at the end of a prompt or source must not change the
            answer. None: the model has no padding.
        end_id: int or None, the default end token of `generate`.
    Example:
        >>> model = keras_seq.models.RecurrentLM(13, 7)
        >>> prompt = np.array([[5, 4, 3], [3, 4, 0]])
        >>> tuple(model(prompt).shape)
        (2, 3, 13)
        >>> ids, state = model.start(prompt, max_length=2)
        >>> logits, state = model.step(ids, state)
        >>> tuple(ids.shape), tuple(logits.shape)
        ((2,), (2, 13))
    """

    pad_id: int | None
    end_id: int | None

    def start(self, inputs, max_length=None):
        """Read the prompt, or encode the source.

        Args:
            inputs: int (B, T), prompts, padded on either side; or int (B, S),
                sources, padded at the end.
            max_length: optional int, how many times `step` will be called
                before `extend_state` is. A model with a key-value cache
                allocates it for that many. Default None: as many as the model
                supports.
        Returns:
            The ids to feed to the first `step`, int (B,), and the state: any
            nest of tensors whose first axis is the batch. If the state is a
            dict, two keys have a meaning. "attention": float (B, S), the
            cross-attention weights of the latest step; zeros at the start.
            "source": a nest that no step changes, such as the encoder's
            output; in it "mask", bool (B, S), is True on real tokens.
        """

    def step(self, ids, state):
        """Predict the next token.

        Args:
            ids: int (B,), the newest token of each row.
            state: what `start` or the previous `step` returned.
        Returns:
            Logits of the next token, float (B, V), and the new state, of the
            same structure, shapes and dtypes.
        """

    def extend_state(self, state, length):
        """Extend the state for more steps. Optional.

        Without this method `start` allocates the caches for all steps.

        Args:
            state: what `start` or `step` returned.
            length: int > 0, how many more times `step` will be called.
        Returns:
            The state, with larger caches.
        """

    def max_prompt_length(self, max_length):
        """Return the longest supported prompt or source.

        Args:
            max_length: int > 0, how many tokens will be generated after it.
        Returns:
            int, or None if the length is not limited.
        """

    def call_with_cache(self, token_ids, state):
        """Predict the next token after each of several tokens.

        Args:
            token_ids: int (B, T), the newest T tokens of each row.
            state: as in `step`.
        Returns:
            Logits, float (B, T, V), and the new state: T calls of `step` give
            the same.
        """

    def trim_cache(self, state, num_tokens):
        """Remove the newest tokens from a state.

        Args:
            state: what `step` or `call_with_cache` returned.
            num_tokens: int or scalar int tensor, how many tokens to remove.
        Returns:
            The state before these tokens.
        """
