"""Aligning: labels of words, and the pieces a model reads.

A model answers for pieces; people label words. The first piece speaks:

    words        강아지가      놀아요
    pieces       강아지 ##가   놀 ##아요
    tags         7      -      8  -

Shapes: B batch, T length, W words of a row.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 5.3.
"""

import numpy as np

from keras_seq.text.unicode import normalise


def align_tags(packer, words, tags, ignore_id=-100):
    """Give the first token of each word its tag.

    The words are joined with a space between them, and read as one text.

    Args:
        packer: `Packer`.
        words: list of B lists of str.
        tags: list of B lists of int, one tag for each word.
        ignore_id: int, the tag of all other tokens, of marks and padding; a
            loss leaves it out, as `TokenCrossEntropy(pad_id=-100)` does.
            Default -100.
    Returns:
        inputs: dict of `token_ids` and `segment_ids`, int32 (B, T).
        tags: int32 (B, T). Words that were trimmed away have none.
    Raises:
        ValueError: if `words` are no lists of str, or `tags` no lists of as
            many int.
    """
    packed, places = _first_tokens(packer, words)
    if [len(row) for row in tags] != [len(row) for row in places]:
        raise ValueError(
            "`tags` must have one tag for each of `words`. Received "
            f"{[len(row) for row in tags]} tags for "
            f"{[len(row) for row in places]} words."
        )
    for row in tags:
        if not all(isinstance(tag, (int, np.integer)) for tag in row):
            raise ValueError(
                f"`tags` must be lists of int. Received the row {row!r}."
            )
    aligned = np.full_like(packed["token_ids"], ignore_id)
    for out, row, place in zip(aligned, tags, places):
        out[place[place > 0]] = np.array(row, "int32")[place > 0]
    return packed, aligned


def word_tags(packer, words, predictions, ignore_id=-100):
    """Give each word the tag of its first token: `align_tags` backwards.

    Args:
        packer, words: as for `align_tags`.
        predictions: int (B, T), a tag for each token.
        ignore_id: int, the tag of a word without a token, one that was
            trimmed away. Default -100.
    Returns:
        list of B lists of int, one tag for each word.
    Raises:
        ValueError: if `predictions` have another shape than the ids, or are
            no integers.
    """
    packed, places = _first_tokens(packer, words)
    predictions = np.asarray(predictions)
    fits = predictions.shape == packed["token_ids"].shape
    if not fits or predictions.dtype.kind not in "iu":
        raise ValueError(
            f"`predictions` must be int {packed['token_ids'].shape}, one for "
            f"each token. Received {predictions.dtype} of shape "
            f"{predictions.shape}."
        )
    return [
        np.where(place > 0, row[place], ignore_id).tolist()
        for row, place in zip(predictions, places)
    ]


def _first_tokens(packer, words):
    """Pack words, and find the place of each one's first token, or 0."""
    words = [row if isinstance(row, str) else list(row) for row in words]
    for row in words:
        if isinstance(row, str) or not all(isinstance(w, str) for w in row):
            raise ValueError(
                f"`words` must be lists of str. Received the row {row!r}."
            )
    packed = packer([" ".join(row) for row in words], offsets=True)
    offsets = packed.pop("offsets")
    return packed, [_places(*pair) for pair in zip(words, offsets)]


def _places(words, offsets):
    """Find the first token of each word: (T, 2) to int (W,)."""
    sizes = np.array([len(normalise(word)) for word in words], int)
    ends = np.cumsum(sizes + 1) - 1  # a space follows each word
    low, high = offsets[offsets[:, 1] > 0].T
    place = np.searchsorted(high, ends - sizes, side="right")
    found = np.append(low, np.iinfo("int32").max)[place] < ends
    return np.where(found, 1 + place, 0)  # [CLS] stands before them
