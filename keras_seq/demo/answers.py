"""Text in, text out: what the small models answer.

Shapes: B batch, T length, V vocabulary.
"""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.demo.store import load_small
from keras_seq.generation import Greedy, generate

MASK = "[MASK]"
MOODS = "negative", "positive"
LONGEST_DATE = 64


def names():
    """List the models that come with the package.

    Returns:
        list of str.
    Example:
        >>> from keras_seq import demo
        >>> "dates_bahdanau" in demo.names()
        True
    """
    folder = files("keras_seq.demo") / "weights"
    return sorted(
        file.name.removesuffix(".npz")
        for file in folder.iterdir()
        if file.name.endswith(".npz")
    )


@cache
def load(name):
    """Load a small model that comes with the package.

    Args:
        name: str, one of `names()`.
    Returns:
        the model, and a dict of its tokenizers: "text", or "source" and
        "target".
    Raises:
        ValueError: if the demo has no model of that name.
    Example:
        >>> from keras_seq import demo
        >>> model, tokenizers = demo.load("dates_bahdanau")
        >>> type(model).__name__, list(tokenizers)
        ('BahdanauSeq2Seq', ['source', 'target'])
    """
    checks.one_of(names(), name=name)
    with as_file(files("keras_seq.demo") / "weights" / f"{name}.npz") as path:
        return load_small(path)


def translate_date(text, model="bahdanau"):
    """Write a date as ISO 8601.

    Args:
        text: str, a date of the years 1900 to 2099 in German, English,
            Spanish, Finnish, French, Italian, Korean, Dutch, Polish or
            Turkish.
        model: "seq2seq", "bahdanau", "luong" or "transformer". Default
            "bahdanau".
    Returns:
        str.
    Raises:
        ValueError: if `text` is empty or too long, or `model` is another.
    Example:
        >>> from keras_seq import demo
        >>> demo.translate_date("1986년 2월 1일")
        '1986-02-01'
    """
    kinds = ("seq2seq", "bahdanau", "luong", "transformer")
    checks.one_of(kinds, model=model)
    _check_text(text, LONGEST_DATE)
    network, tokenizers = load(f"dates_{model}")
    source = tokenizers["source"].tokenize([text], end=True)
    ids = generate(network, source, max_length=11).ids
    return tokenizers["target"].detokenize(ids)[0]


def continue_text(text, max_length=20, sampler=None):
    """Continue a text with the small GPT.

    Args:
        text: str, English or Korean.
        max_length: int > 0, the number of tokens to add. Default 20.
        sampler: optional `Sampler`. Default None: `Greedy()`.
    Returns:
        str, the text and its continuation.
    Raises:
        ValueError: if `text` has no token, or together with `max_length`
            more than 64.
    Example:
        >>> from keras_seq import demo
        >>> demo.continue_text("The hidden state").startswith("The hidden")
        True
    """
    _check_text(text)
    model, tokenizers = load("gpt")
    ids = tokenizers["text"].tokenize([text])
    new = generate(model, ids, sampler or Greedy(), max_length=max_length).ids
    both = np.concatenate([ids, ops.convert_to_numpy(new)], axis=1)
    return tokenizers["text"].detokenize(both)[0]


def fill_blank(text, top=5):
    """Predict the tokens that [MASK] stands for with the small BERT.

    Args:
        text: str with one "[MASK]" or more.
        top: int > 0, number of predictions for each. Default 5.
    Returns:
        list, for each "[MASK]" a list of `top` pairs of a token and its
        probability, the most probable first.
    Raises:
        ValueError: if there is no "[MASK]", or the text is longer than 62
            tokens.
    Example:
        >>> from keras_seq import demo
        >>> len(demo.fill_blank("The next [MASK].", top=3)[0])
        3
    """
    _check_text(text)
    if MASK not in text:
        raise ValueError(f'`text` must have a "{MASK}". Received {text!r}.')
    model, tokenizers = load("bert")
    tokenizer = tokenizers["text"]
    parts = [tokenizer.tokenize(part) for part in text.split(MASK)]
    parts = [part[part != tokenizer.pad_id] for part in parts]
    mask = [tokenizer.mask_id]
    pieces = [parts[0], *(x for part in parts[1:] for x in (mask, part))]
    ids = np.concatenate([[tokenizer.start_id], *pieces, [tokenizer.end_id]])
    ids = ids.astype("int32")[None]
    found, p = model.fill_mask(ids, tokenizer.mask_id, top)
    return [
        list(zip(tokenizer.tokens(row), map(float, each)))
        for row, each in zip(found, p)
    ]


def classify_digit(image):
    """Recognize a handwritten digit with the small ViT.

    Args:
        image: float (8, 8), intensity of the ink in [0, 1].
    Returns:
        int, the digit, and its probability.
    Raises:
        ValueError: if `image` has another shape.
    Example:
        >>> import numpy as np
        >>> from keras_seq import demo
        >>> digit, p = demo.classify_digit(np.eye(8))
        >>> 0 <= digit <= 9
        True
    """
    image = np.asarray(image, "float32")
    if image.shape != (8, 8):
        raise ValueError(
            f"`image` must be (8, 8). Received shape={image.shape}."
        )
    model, _ = load("digits_vit")
    p = ops.convert_to_numpy(ops.softmax(model(image[None, :, :, None])))[0]
    return int(p.argmax()), float(p.max())


def classify_review(text):
    """Classify a Korean film review as positive or negative.

    The answer is right for 0.829 of the held-out reviews.

    Args:
        text: str, a review in Korean of at most 62 tokens.
    Returns:
        tuple of str, "positive" or "negative", and float, its probability.
    Raises:
        ValueError: if `text` is empty or too long.
    Example:
        >>> from keras_seq import demo
        >>> demo.classify_review("정말 재미있고 감동적인 영화")[0]
        'positive'
    """
    _check_text(text)
    model, tokenizers = load("reviews")
    ids = tokenizers["text"].tokenize([text], start=True, end=True)
    longest = model.bert.max_sequence_length - 2
    if ids.shape[1] - 2 > longest:
        raise ValueError(
            f"`text` must have at most {longest} tokens. Received "
            f"{ids.shape[1] - 2}."
        )
    p = ops.convert_to_numpy(ops.softmax(model(ids)))[0]
    return MOODS[int(p.argmax())], float(p.max())


def _check_text(text, longest=None):
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"`text` must be a str with text. Received {text!r}.")
    if longest is not None and len(text) > longest:
        raise ValueError(
            f"`text` must have at most {longest} characters. Received "
            f"{len(text)}."
        )
