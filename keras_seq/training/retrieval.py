"""What remembering alone achieves: the answer to the most similar question.

A chatbot that cannot beat this has learned nothing that needs a network.
Questions are compared by the character n-grams they share, each weighed by
how rare it is (TF-IDF), so that "내일 시간 돼?" finds "내일 시간 있어?" without
anybody having to know what a word is in Korean.

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
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise ImportError(
            "nearest_answer() needs scikit-learn: "
            'pip install "keras_seq[tutorials]"'
        ) from error
    vectors = TfidfVectorizer(
        analyzer="char", ngram_range=(1, n), sublinear_tf=True
    )
    known = vectors.fit_transform(train_questions).T.tocsr()  # (grams, N)
    nearest = []
    for start in range(0, len(questions), 500):  # M x N is too much at once
        asked = vectors.transform(questions[start : start + 500])
        similarity = (asked @ known).toarray()  # (500, N), rows of length 1
        nearest += np.argmax(similarity, axis=1).tolist()
    return [train_answers[at] for at in nearest]
