"""Next sentence prediction (NSP): pairs of texts, half of them consecutive.

BERT is pretrained to predict whether the second text of a pair follows the
first one. Half of the pairs are neighbors in a document; in the other half
the second text comes from another document:

    label 0:  (d_i, d_i+1)
    label 1:  (d_i, e_j+1)         # e another document than d, any j

No pair of neighbors crosses from one document into the next. Both kinds take
their first texts from all but the ends of documents, and their second texts
from all but the beginnings, so that neither text alone predicts the label.

Shapes: N pairs.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1 and appendix A.2.
Differs from the paper: exactly half of the pairs are neighbors, where the
    paper draws each label; no second text is the beginning of a document.
"""

import numpy as np

from keras_seq import checks
from keras_seq.text.tokenizer import check_tokenizer


def sentence_pairs(documents, seed=0):
    """Pair texts with the next one, or with one from another document.

    Args:
        documents: list of lists of str: the sentences of each document, or
            longer texts, as `fill_texts` returns them. A document of fewer
            than two has no pair.
        seed: int >= 0, seed of the pairs, e.g. another one for each epoch.
            Default 0.
    Returns:
        first: list of N str, all but the last of each document, in order.
        second: list of N str.
        labels: int32 (N,), 0 (IsNext) if the second text follows the first
            one, 1 (NotNext) if it is from another document; as many 0 as 1,
            or one more.
    Raises:
        ValueError: if `documents` are not lists of str, or fewer than two of
            them have two texts, or `seed` is not an int >= 0.
    Example:
        >>> documents = [["Rain fell.", "It stopped."], ["안녕?", "안녕!"]]
        >>> first, second, labels = sentence_pairs(documents)
        >>> first
        ['Rain fell.', '안녕?']
        >>> sorted(labels.tolist())
        [0, 1]
    """
    checks.not_negative_int(seed=seed)
    documents = [d for d in _checked(documents) if len(d) > 1]
    if len(documents) < 2:
        raise ValueError(
            "`documents` must be at least two with at least two texts. "
            f"Received {len(documents)} documents of that kind."
        )
    return _pairs(documents, np.random.default_rng(seed))


def _pairs(documents, rng):
    """Draw the second text and the label of each first text."""
    first = [text for document in documents for text in document[:-1]]
    following = [text for document in documents for text in document[1:]]
    size = np.array([len(document) - 1 for document in documents])
    begin = np.repeat(np.cumsum(size) - size, size)  # of the document
    size = np.repeat(size, size)

    count = len(first)
    labels = rng.permutation(np.arange(count) % 2)
    # Any pair except those of the same document, which are skipped.
    other = rng.integers(count - size)
    other += size * (other >= begin)
    chosen = np.where(labels, other, np.arange(count))
    return first, [following[i] for i in chosen], labels.astype("int32")


def fill_texts(documents, tokenizer, budget):
    """Join neighboring sentences into texts of at most `budget` pieces.

    Args:
        documents: list of lists of str, the sentences of each document.
        tokenizer: `Tokenizer`, which counts the pieces of each sentence.
        budget: int > 0, the maximum number of pieces of a text, without
            special tokens. A longer sentence stays a text of its own.
    Returns:
        list of lists of str: in each document the same sentences in the same
        order, joined by a space.
    Raises:
        ValueError: if an argument is out of range.
    Example:
        >>> tokenizer = WordPieceTokenizer([*"abcd"])
        >>> fill_texts([["a b", "c", "d"]], tokenizer, 3)
        [['a b c', 'd']]
    """
    check_tokenizer(tokenizer)
    checks.positive_int(budget=budget)
    return [
        _fill(document, map(len, tokenizer.tokenize_rows(document)), budget)
        for document in _checked(documents)
    ]


def _fill(sentences, sizes, budget):
    """Join the sentences of one document."""
    texts, room = [], 0
    for sentence, size in zip(sentences, sizes):
        if texts and size <= room:
            texts[-1].append(sentence)
        else:
            texts.append([sentence])
            room = budget
        room -= size
    return [" ".join(text) for text in texts]


def _checked(documents):
    """Check and return a list of lists of str."""
    documents = [d if isinstance(d, str) else list(d) for d in documents]
    for document in documents:
        texts = not isinstance(document, str)
        if not texts or not all(isinstance(text, str) for text in document):
            raise ValueError(
                "`documents` must be lists of str, one list per document. "
                f"Received the document {document!r}."
            )
    return documents
