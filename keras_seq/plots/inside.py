"""What a model computes when it reads a text, in one figure."""

import keras

from keras_seq.plots.attention import attention_heads
from keras_seq.plots.gates import gates


def look_inside(model, tokenizer, text):
    """Draw the gates and states, or all attention heads, over a text.

    The look-inside page in one figure, for a notebook.

    Args:
        model: a `RecurrentLM`, whose first layer is drawn, a `GPT` or a
            `BERT`, or another model of token ids with `recurrent_layers` or
            the argument `return_attention_scores`.
        tokenizer: `keras_seq.text.Tokenizer` of the model.
        text: str.
    Returns:
        Figure: see `gates` and `attention_heads`.
    Raises:
        ValueError: if `text` has no token, or the model is of another kind.
    Example:
        >>> from keras_seq.models import GPT
        >>> from keras_seq.text import CharTokenizer
        >>> gpt = GPT(8, 8, num_heads=2, num_layers=1)
        >>> figure = plots.look_inside(gpt, CharTokenizer("ab가"), "가ab")
        >>> figure.axes[0].get_title()
        'layer 1, head 1'
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"`text` must be a str with text. Received {text!r}.")
    ids = tokenizer.tokenize([text])
    tokens = tokenizer.tokens(ids[0])
    if hasattr(model, "recurrent_layers"):
        x = model.token_embedding(ids)
        trace = model.recurrent_layers[0].trace(x)
        return gates(trace, tokens)
    return attention_heads(_attention(model, ids), tokens, tokens)


def _attention(model, ids):
    """Return the attention weights of one text: a float (H, T, T) a layer."""
    try:
        _, weights = model(ids, return_attention_scores=True)
    except TypeError as error:
        raise ValueError(
            "`model` must have recurrent layers, or return its attention "
            f"weights. Received model={model!r}."
        ) from error
    if isinstance(weights, dict):
        raise ValueError(
            "`model` must read one text. Received an encoder-decoder, "
            f"model={model!r}: see `alignment`."
        )
    return [keras.ops.convert_to_numpy(layer)[0] for layer in weights]
