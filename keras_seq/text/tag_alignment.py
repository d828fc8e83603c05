"""Tags of words and tags of tokens (named entity recognition, NER).

People label words; a model predicts a tag for each token. The first token of
a word has the tag of the word, and the other tokens are ignored:

    words        강아지가      놀아요
    tokens       강아지 ##가   놀 ##아요
    tags         7      -      8  -

Shapes: B batch, T length, W words of a row.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 5.3.
"""

import numpy as np

from keras_seq.text.unicode import normalize


def align_tags(packer, words, tags, ignore_id=-100):
    """Assign the tag of each word to its first token.

    The words are joined by spaces and tokenized as one text.

    Args:
        packer: `MultiSegmentPacker`.
        words: list of B lists of str.
        tags: list of B lists of int, one tag for each word.
        ignore_id: int, the tag of all other tokens, which
            `TokenCrossEntropy(pad_id=-100)` ignores. Default -100.
    Returns:
        inputs: dict of `token_ids` and `segment_ids`, int32 (B, T).
        tags: int32 (B, T). Truncated words have no tag.
    Raises:
        ValueError: if `words` are not lists of str, or `tags` are not lists
            of as many int.
    Example:
        >>> packer = MultiSegmentPacker(WordPieceTokenizer(["놀", "##아요"]))
        >>> inputs, tags = align_tags(packer, [["놀아요", "놀"]], [[7, 8]])
        >>> tags.tolist()
        [[-100, 7, -100, 8, -100]]
    """
    packed, positions = _first_tokens(packer, words)
    if [len(row) for row in tags] != [len(row) for row in positions]:
        raise ValueError(
            "`tags` must have one tag for each of `words`. Received "
            f"{[len(row) for row in tags]} tags for "
            f"{[len(row) for row in positions]} words."
        )
    for row in tags:
        if not all(isinstance(tag, (int, np.integer)) for tag in row):
            raise ValueError(
                f"`tags` must be lists of int. Received the row {row!r}."
            )
    aligned = np.full_like(packed["token_ids"], ignore_id)
    for out, row, position in zip(aligned, tags, positions):
        found = position > 0
        out[position[found]] = np.array(row, "int32")[found]
    return packed, aligned


def word_tags(packer, words, predictions, ignore_id=-100):
    """Return the tag of the first token of each word.

    The inverse of `align_tags`.

    Args:
        packer: `MultiSegmentPacker`, as for `align_tags`.
        words: list of B lists of str, as for `align_tags`.
        predictions: int (B, T), a tag for each token.
        ignore_id: int, the tag of a truncated word. Default -100.
    Returns:
        list of B lists of int, one tag for each word.
    Raises:
        ValueError: if `predictions` have another shape than the ids, or are
            not integers.
    Example:
        >>> packer = MultiSegmentPacker(WordPieceTokenizer(["놀", "##아요"]))
        >>> word_tags(packer, [["놀아요", "놀"]], [[0, 7, 5, 8, 0]])
        [[7, 8]]
    """
    packed, positions = _first_tokens(packer, words)
    predictions = np.asarray(predictions)
    fits = predictions.shape == packed["token_ids"].shape
    if not fits or predictions.dtype.kind not in "iu":
        raise ValueError(
            f"`predictions` must be int {packed['token_ids'].shape}, one for "
            f"each token. Received {predictions.dtype} of shape "
            f"{predictions.shape}."
        )
    return [
        np.where(position > 0, row[position], ignore_id).tolist()
        for row, position in zip(predictions, positions)
    ]


def _first_tokens(packer, words):
    """Pack words, and find the position of each first token, or 0."""
    words = [row if isinstance(row, str) else list(row) for row in words]
    for row in words:
        if isinstance(row, str) or not all(isinstance(w, str) for w in row):
            raise ValueError(
                f"`words` must be lists of str. Received the row {row!r}."
            )
    packed = packer([" ".join(row) for row in words], offsets=True)
    offsets = packed.pop("offsets")
    form = packer.tokenizer.normal_form
    sizes = [[len(normalize(word, form)) for word in row] for row in words]
    return packed, [_positions(*pair) for pair in zip(sizes, offsets)]


def _positions(sizes, offsets):
    """Find the first token of each word: sizes (W,), (T, 2) to int (W,)."""
    ends = np.cumsum(np.array(sizes, int) + 1) - 1  # a space follows a word
    low, high = offsets[offsets[:, 1] > 0].T
    position = np.searchsorted(high, ends - sizes, side="right")
    found = np.append(low, np.iinfo("int32").max)[position] < ends
    return np.where(found, 1 + position, 0)  # after [CLS]
