"""Sentence pairs: did the second text follow, or is it from elsewhere?

BERT's second question while it learns. Half of the pairs are neighbours in a
document; in the other half, the second text comes from another document:

    label 0:  (d_i, d_i+1)
    label 1:  (d_i, e_j+1)         # e another document than d, j any place

No pair of neighbours crosses from one document into the next. Both kinds of
pairs take their first texts from all but the ends of documents, and their
second texts from all but the beginnings, so that neither text alone gives the
answer away.

Shapes: N pairs.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1 and appendix A.2.
Differs from the paper: exactly half are neighbours, where it tosses a coin;
    no second text is the beginning of a document.
"""

import numpy as np

from keras_seq import checks
from keras_seq.text.tokenizer import check_tokenizer


def sentence_pairs(documents, seed=0):
    """Pair texts with the next one, or with one from another document.

    Args:
        documents: list of lists of str: the sentences of each document, or
            longer texts, as `fill_texts` makes them. A document of fewer
            than two has no pair.
        seed: int >= 0. Another seed draws other pairs, one for each epoch,
            say. Default 0.
    Returns:
        first: list of N str, all but the last of each document, in order.
        second: list of N str.
        labels: int32 (N,): 0, it followed; 1, it is from another document.
            As many of one as of the other, or one 0 more.
    Raises:
        ValueError: if `documents` are none, or fewer than two of them have
            two texts, or `seed` is no int >= 0.
    """
    checks.not_negative_int(seed=seed)
    documents = [d for d in _checked(documents) if len(d) > 1]
    if len(documents) < 2:
        raise ValueError(
            "`documents` must hold at least two of at least two texts. "
            f"Received {len(documents)} such documents."
        )
    first = [text for document in documents for text in document[:-1]]
    following = [text for document in documents for text in document[1:]]
    size = np.array([len(document) - 1 for document in documents])
    begin = np.repeat(np.cumsum(size) - size, size)  # of a pair's document
    size = np.repeat(size, size)

    random = np.random.default_rng(seed)
    count = len(first)
    labels = random.permutation(np.arange(count) % 2)
    # Any pair but those of the same document, which are stepped over.
    other = random.integers(count - size)
    other += size * (other >= begin)
    chosen = np.where(labels, other, np.arange(count))
    return first, [following[i] for i in chosen], labels.astype("int32")


def fill_texts(documents, tokenizer, budget):
    """Join neighbouring sentences into texts of as many pieces as fit.

    Args:
        documents: list of lists of str, the sentences of each document.
        tokenizer: `Tokenizer`, which counts the pieces of each sentence.
        budget: int > 0, pieces of a text, marks not counted. A sentence that
            is longer by itself stays one text.
    Returns:
        list of lists of str: in each document the same sentences in the same
        order, joined by a space.
    Raises:
        ValueError: if an argument is outside its range.
    """
    check_tokenizer(tokenizer)
    checks.positive_int(budget=budget)
    return [
        _filled(document, map(len, tokenizer._look_up(document)), budget)
        for document in _checked(documents)
    ]


def _filled(sentences, sizes, budget):
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
    """List of lists of str, or an error."""
    documents = [d if isinstance(d, str) else list(d) for d in documents]
    for document in documents:
        texts = not isinstance(document, str)
        if not texts or not all(isinstance(text, str) for text in document):
            raise ValueError(
                "`documents` must be lists of str, one for each document. "
                f"Received the document {document!r}."
            )
    return documents
