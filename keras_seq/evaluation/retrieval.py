"""What remembering alone achieves: the answer to the most similar question.

A chatbot that cannot beat this has learned nothing that needs a network.
Questions are compared by the character n-grams they share, each weighed by
how rare it is (TF-IDF), so that "내일 시간 돼?" finds "내일 시간 있어?" without
anybody having to know what a word is in Korean. The same vectors, and a weight
for each n-gram, make a classifier without a network; and whoever says that a
text that shares words with another one followed it is right surprisingly often.

Shapes: N training questions, M questions.
Paper: Salton & Buckley (1988), "Term-weighting approaches in automatic text
    retrieval", Information Processing & Management 24(5).
"""

import numpy as np

from keras_seq import checks


def nearest_answer(train_questions, train_answers, questions, n=4):
    """Return the answers to the most similar training questions.

    The cosine of TF-IDF vectors over the n-grams of 1 to `n` characters, in
    lower case, with 1 + log(count) for the count; of equals the first.

    Args:
        train_questions: list of N > 0 str.
        train_answers: list of N str.
        questions: list of M str; one that shares no character with any
            training question gets the first answer.
        n: int > 0, most characters of an n-gram. Default 4.
    Returns:
        list of M str, each one of `train_answers`.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if there is no training question, or the training
            questions and answers differ in number.
    """
    checks.positive_int(n=n)
    if not train_questions or len(train_questions) != len(train_answers):
        raise ValueError(
            "`train_answers` must be as many as `train_questions`, at least "
            f"one. Received {len(train_answers)} and {len(train_questions)}."
        )
    vectors = _counts("nearest_answer", n)
    known = vectors.fit_transform(train_questions).T.tocsr()  # (grams, N)
    nearest = []
    for start in range(0, len(questions), 500):  # M x N is too much at once
        asked = vectors.transform(questions[start : start + 500])
        similarity = (asked @ known).toarray()  # (500, N), rows of length 1
        nearest += np.argmax(similarity, axis=1).tolist()
    return [train_answers[at] for at in nearest]


def tfidf_accuracy(train_texts, train_labels, texts, labels, n=4):
    """Classify by the same vectors: the accuracy of a logistic regression.

    Its weights are held small by scikit-learn's C of 4.

    Args:
        train_texts: list of N > 0 str.
        train_labels: int (N,), of two kinds at least.
        texts: list of M > 0 str.
        labels: int (M,).
        n: int > 0, most characters of an n-gram. Default 4.
    Returns:
        float in [0, 1].
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if texts and labels differ in number.
    """
    checks.positive_int(n=n)
    for name, rows, wanted in (
        ("train_labels", train_texts, train_labels),
        ("labels", texts, labels),
    ):
        if len(rows) != len(wanted):
            raise ValueError(
                f"`{name}` must be one for each text. Received {len(wanted)} "
                f"for {len(rows)} texts."
            )
    vectors = _counts("tfidf_accuracy", n)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=4.0, max_iter=1000)
    model.fit(vectors.fit_transform(train_texts), train_labels)
    return float(model.score(vectors.transform(texts), labels))


def shared_words_accuracy(train_pairs, train_labels, pairs, labels):
    """Tell what followed by the words that both texts have.

    A pair whose TF-IDF vectors of words have a cosine below a threshold, the
    best one for the training pairs, is taken for a 1: it did not follow.

    Args:
        train_pairs: two lists of N > 0 str, the first and the second texts.
        train_labels: int (N,), 0 or 1, as of `keras_seq.text.sentence_pairs`.
        pairs: two lists of M > 0 str.
        labels: int (M,).
    Returns:
        float in [0, 1], the accuracy on `pairs`.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if the two lists or the labels differ in number.
    """
    sizes = [len(x) for x in (*train_pairs, train_labels, *pairs, labels)]
    if sizes[:2] != [sizes[2]] * 2 or sizes[3:5] != [sizes[5]] * 2:
        raise ValueError(
            "`train_pairs` and `pairs` must be two lists each, with a label "
            f"for each pair. Received lists and labels of {sizes}."
        )
    vectors = _counts("shared_words_accuracy", 1, analyzer="word")
    vectors.fit([*train_pairs[0], *train_pairs[1]])

    def cosine(first, second):
        product = vectors.transform(first).multiply(vectors.transform(second))
        return np.asarray(product.sum(axis=1))[:, 0]

    known = cosine(*train_pairs)
    order = np.argsort(known)
    # Right at each threshold: the 1s below it, and the 0s from it on.
    right = np.cumsum(np.append(0, 2 * np.asarray(train_labels)[order] - 1))
    cuts = np.append(known[order], np.inf)
    right[1:] = np.where(np.diff(cuts) > 0, right[1:], -len(cuts))  # of equals
    best = cuts[np.argmax(right)]
    said = cosine(*pairs) < best
    return float(np.mean(said == np.asarray(labels)))


def _counts(caller, n, analyzer="char"):
    """Make what turns texts into vectors, or say what is missing."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise ImportError(
            f'{caller}() needs scikit-learn: pip install "keras_seq[tutorials]"'
        ) from error
    return TfidfVectorizer(
        analyzer=analyzer, ngram_range=(1, n), sublinear_tf=True
    )
