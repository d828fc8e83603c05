"""Small talk in English and Korean: a question and its answer.

Written for this project, to train a first chatbot. Each language has 79
intents, from greetings to "Are you free tomorrow?" and "내일 시간 있어?". An
intent has six questions or more, formal and informal, and one answer.

The texts are in dialogues_en.tsv and dialogues_ko.tsv in this folder, in
UTF-8, with the columns intent, question and answer. 537 pairs in English, 596
in Korean. One question in five is held out by a checksum: 443 training and 94
test pairs in English, 468 and 128 in Korean. Each test question has an intent
with at least two training questions, so its answer is among the training
answers. "Are you free tomorrow?" and "내일 시간 있어?" are training questions.

Baselines, exact match in English and in Korean: 0.00 and 0.02 for always
giving the most frequent training answer; 0.81 and 0.82 for
`keras_seq.evaluation.nearest_answer` (chrF 84.7 and 84.0).

Shapes: N pairs.
License of the texts: Apache-2.0, as this library.
"""

from importlib.resources import files

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS, held_out

DIALOGUE_LANGUAGES = ("en", "ko")


def dialogues(language="en", split="train"):
    """Load questions of everyday small talk and their answers.

    Args:
        language: str, "en" or "ko". Default "en".
        split: str, "train" or "test". Default "train".
    Returns:
        questions: list of N different str in Unicode NFC.
        answers: list of N str in Unicode NFC.
    Raises:
        ValueError: if `language` or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> questions, answers = data.dialogues("ko")
        >>> len(questions), "내일 시간 있어?" in questions
        (468, True)
    """
    one_of(DIALOGUE_LANGUAGES, language=language)
    one_of(SPLITS, split=split)
    file = files("keras_seq.data") / f"dialogues_{language}.tsv"
    lines = file.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    pairs = [(q, a) for _, q, a in rows if SPLITS[held_out(q)] == split]
    questions, answers = zip(*pairs)
    return list(questions), list(answers)
