"""TF-IDF baselines: retrieval, classification and next sentence prediction.

A chatbot should beat the answer to the most similar training question, a
classifier a logistic regression on the same vectors, and next sentence
prediction the number of shared words. Texts are vectors of character n-grams,
weighted by their rarity (TF-IDF), so that "내일 시간 돼?" finds
"내일 시간 있어?" without a Korean word segmenter.

Shapes: N training texts, M texts.
Paper: Salton & Buckley (1988), "Term-weighting approaches in automatic text
    retrieval", Information Processing & Management 24(5).
"""

import numpy as np

from keras_seq import checks


def nearest_answer(train_questions, train_answers, questions, n=4):
    """Return the answers to the most similar training questions.

    Similarity is the cosine of TF-IDF vectors over lower-case n-grams of 1 to
    `n` characters, with 1 + log(count) as term frequency. Ties go to the first
    question.

    Args:
        train_questions: list of N > 0 str.
        train_answers: list of N str, one for each training question.
        questions: list of M str. A question that shares no character with any
            training question gets the first answer.
        n: int > 0, longest n-gram, in characters. Default 4.
    Returns:
        list of M str, each one of `train_answers`.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if there is no training question, or the training
            questions and answers differ in number.
    Example:
        >>> questions, answers = ["시간 있어?", "hello"], ["네!", "hi"]
        >>> nearest_answer(questions, answers, ["시간 돼?"])
        ['네!']
    """
    checks.positive_int(n=n)
    if not train_questions or len(train_questions) != len(train_answers):
        raise ValueError(
            "`train_answers` must be as many as `train_questions`, at least "
            f"one. Received {len(train_answers)} and {len(train_questions)}."
        )
    vectors = tfidf_vectorizer("nearest_answer", n)
    known = vectors.fit_transform(train_questions).T.tocsr()  # (grams, N)
    nearest = []
    for start in range(0, len(questions), 500):  # M x N is too much at once
        found = vectors.transform(questions[start : start + 500])
        similarity = (found @ known).toarray()  # (500, N), rows of length 1
        nearest += np.argmax(similarity, axis=1).tolist()
    return [train_answers[at] for at in nearest]


def tfidf_accuracy(train_texts, train_labels, texts, labels, n=4):
    """Compute the accuracy of a logistic regression on TF-IDF vectors.

    The regularization is scikit-learn's `C=4`.

    Args:
        train_texts: list of N > 0 str.
        train_labels: int (N,), with at least two different labels.
        texts: list of M > 0 str.
        labels: int (M,), true labels of `texts`.
        n: int > 0, longest n-gram, in characters. Default 4.
    Returns:
        float in [0, 1].
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if texts and labels differ in number.
    Example:
        >>> texts = ["good film", "bad film", "good", "bad"]
        >>> tfidf_accuracy(texts, [1, 0, 1, 0], ["so good", "so bad"], [1, 0])
        1.0
    """
    checks.positive_int(n=n)
    for name, rows, wanted in (
        ("train_labels", train_texts, train_labels),
        ("labels", texts, labels),
    ):
        if len(rows) != len(wanted):
            raise ValueError(
                f"`{name}` must have one label for each text. Received "
                f"{len(wanted)} for {len(rows)} texts."
            )
    vectors = tfidf_vectorizer("tfidf_accuracy", n)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=4.0, max_iter=1000)
    model.fit(vectors.fit_transform(train_texts), train_labels)
    return float(model.score(vectors.transform(texts), labels))


def shared_words_accuracy(train_pairs, train_labels, pairs, labels):
    """Compute the accuracy of next sentence prediction from shared words.

    A pair is predicted as 1 (the second text did not follow the first) if the
    cosine of its TF-IDF vectors of words is below a threshold, the best one
    for the training pairs.

    Args:
        train_pairs: two lists of N > 0 str, the first and the second texts.
        train_labels: int (N,), 0 or 1, as in `keras_seq.text.sentence_pairs`.
        pairs: two lists of M > 0 str, the first and the second texts.
        labels: int (M,), true labels of `pairs`.
    Returns:
        float in [0, 1], the accuracy on `pairs`.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if the two lists or the labels differ in number.
    Example:
        >>> pairs = ["red car", "blue sea"], ["a red car stops", "he reads"]
        >>> shared_words_accuracy(pairs, [0, 1], pairs, [0, 1])
        1.0
    """
    check_pairs(train_pairs, train_labels, pairs, labels)
    vectors = tfidf_vectorizer("shared_words_accuracy", 1, analyzer="word")
    vectors.fit([*train_pairs[0], *train_pairs[1]])

    def cosine(first, second):
        product = vectors.transform(first).multiply(vectors.transform(second))
        return np.asarray(product.sum(axis=1))[:, 0]

    known = cosine(*train_pairs)
    order = np.argsort(known)
    # Correct at each threshold: the 1s below it, and the 0s above it.
    right = np.cumsum(np.append(0, 2 * np.asarray(train_labels)[order] - 1))
    cuts = np.append(known[order], np.inf)
    right[1:] = np.where(np.diff(cuts) > 0, right[1:], -len(cuts))  # ties
    best = cuts[np.argmax(right)]
    predicted = cosine(*pairs) < best
    return float(np.mean(predicted == np.asarray(labels)))


def check_pairs(train_pairs, train_labels, pairs, labels):
    """Raise a ValueError unless lists and labels have the same lengths."""
    sizes = [len(x) for x in (*train_pairs, train_labels, *pairs, labels)]
    if sizes[:2] != [sizes[2]] * 2 or sizes[3:5] != [sizes[5]] * 2:
        raise ValueError(
            "`train_pairs` and `pairs` must be two lists each, with a label "
            f"for each pair. Received lists and labels of {sizes}."
        )


def tfidf_vectorizer(caller, n, analyzer="char"):
    """Return a TF-IDF vectorizer; the error names the package to install."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise ImportError(
            f'{caller}() needs scikit-learn: pip install "keras_seq[tutorials]"'
        ) from error
    return TfidfVectorizer(
        analyzer=analyzer, ngram_range=(1, n), sublinear_tf=True
    )
