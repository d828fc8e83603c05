"""Small talk in Korean and English: a question and a kind answer.

Written for this project, so that a first chatbot is trained on words that one
would like to hear from it. 79 intents in each language, from greetings to
"Are you free tomorrow?" and "내일 시간 있어?"; each is asked in six ways or
more, formally and among friends, and has one answer.

The texts stand in dialogues_en.tsv and dialogues_ko.tsv beside this file, in
UTF-8, with the columns intent, question and answer; their licence is that of
this library, Apache-2.0.
"""

from importlib.resources import files

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS, held_out

DIALOGUE_LANGUAGES = ("en", "ko")


def dialogues(language="en", split="train"):
    """Load questions of everyday small talk, and their answers.

    537 pairs in English, 596 in Korean. One question in five is held out by
    its checksum: 443 and 94 in English, 468 and 128 in Korean. Every held-out
    question is another wording of an intent that is trained, two wordings at
    least, so its right answer is among the training answers. "Are you free
    tomorrow?" and "내일 시간 있어?" are trained.

    Baselines, the very answer in English and in Korean: 0.00 and 0.02 for the
    commonest training answer always; 0.81 and 0.82 for
    `keras_seq.evaluation.nearest_answer` (chrF 84.7 and 84.0).

    Args:
        language: "en" or "ko". Default "en".
        split: "train" or "test". Default "train".
    Returns:
        questions: list of N different str in Unicode NFC.
        answers: list of N str in Unicode NFC.
    Raises:
        ValueError: if `language` or `split` is another word.
    """
    one_of(DIALOGUE_LANGUAGES, language=language)
    one_of(SPLITS, split=split)
    file = files("keras_seq.data") / f"dialogues_{language}.tsv"
    lines = file.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    pairs = [(q, a) for _, q, a in rows if SPLITS[held_out(q)] == split]
    questions, answers = zip(*pairs)
    return list(questions), list(answers)
