"""Pairs of texts: translated captions, and Korean questions with answers.

`find_file` finds each file, and compares it with the checksum of the version
that the published figures were measured on.

Multi30k: Elliott, Frank, Sima'an & Specia (2016), "Multi30K: Multilingual
English-German Image Descriptions", arXiv:1605.00459; French by Elliott et al.
(2017), arXiv:1710.07177. From github.com/multi30k/dataset, task 1, for
research use: 29,000 training, 1,014 validation and 1,000 test captions
(test_2016_flickr). Baselines, German to English, BLEU on the test captions
(sacrebleu, 13a, lower case): 0.75 for copying the German, 11.44 for the
translation of the nearest training caption. Greedy decoding in the notebooks
of pytorch-seq2seq: 13.76 for a 2-layer LSTM, 20.61 for a GRU, 28.30 with
Bahdanau attention, 36.52 for a Transformer.

Chatbot data: 11,823 questions and answers about life and love, from
github.com/songys/Chatbot_data (MIT); its label (daily life, parting, love) is
not used. One question in five is held out by a checksum of its letters,
without spaces and punctuation, so that no question is in both splits in any
spacing: 9,443 and 2,380 pairs. A question may have several answers.
Baselines, exact match: 0.002 for always giving the most frequent training
answer; 0.17 (chrF 22.4) for `keras_seq.evaluation.nearest_answer`.

Shapes: N pairs.
"""

import csv
import gzip
import unicodedata

from keras_seq.checks import one_of
from keras_seq.data.data_files import find_file
from keras_seq.data.splits import SPLITS, held_out

MULTI30K_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
)
MULTI30K_LANGUAGES = ("de", "en", "fr")
MULTI30K_FILES = {"train": "train", "val": "val", "test": "test_2016_flickr"}
MULTI30K_SHA256 = {
    "train.de.gz": (
        "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"
    ),
    "val.de.gz": (
        "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"
    ),
    "test_2016_flickr.de.gz": (
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"
    ),
    "train.en.gz": (
        "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"
    ),
    "val.en.gz": (
        "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"
    ),
    "test_2016_flickr.en.gz": (
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"
    ),
    "train.fr.gz": (
        "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"
    ),
    "val.fr.gz": (
        "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"
    ),
    "test_2016_flickr.fr.gz": (
        "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"
    ),
}
CHATBOT_URL = (
    "https://raw.githubusercontent.com/songys/Chatbot_data/master/"
    "ChatbotData.csv"
)
CHATBOT_SHA256 = (
    "287eb129695b577321c80ad397bb3c2279164d4ca577874d129fd3db5b30afe2"
)


def multi30k(split="train", source="de", target="en"):
    """Load captions of photographs in two languages, for translation.

    Args:
        split: str, "train", "val" or "test". Default "train".
        source: str, "de", "en" or "fr", the source language. Default "de".
        target: str, another of these, the target language. Default "en".
    Returns:
        sources: list of N str in Unicode NFC.
        targets: list of N str in Unicode NFC, the same captions in order.
    Raises:
        FileNotFoundError: if a file is missing and the download fails.
        ValueError: if a file is damaged or an argument is unknown.
    Example:
        >>> from keras_seq import data
        >>> sources, targets = data.multi30k("val")  # doctest: +SKIP
    """
    one_of(MULTI30K_FILES, split=split)
    one_of(MULTI30K_LANGUAGES, source=source, target=target)
    if source == target:
        raise ValueError(
            "`target` must be another language than `source`. "
            f"Received source={source!r}, target={target!r}."
        )
    return _captions(split, source), _captions(split, target)


def _captions(split, language):
    name = f"{MULTI30K_FILES[split]}.{language}.gz"
    path = find_file(
        f"multi30k/{name}", MULTI30K_URL + name, MULTI30K_SHA256[name]
    )
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    # Only "\n" ends a caption, and empty ones stay: the lines are aligned.
    lines = text.removesuffix("\n").split("\n")
    return [unicodedata.normalize("NFC", line.strip()) for line in lines]


def chatbot_ko(split="train"):
    """Load Korean questions and answers about life and love.

    Args:
        split: str, "train" or "test". Default "train".
    Returns:
        questions: list of N str in Unicode NFC.
        answers: list of N str in Unicode NFC.
    Raises:
        FileNotFoundError: if the file is missing and the download fails.
        ValueError: if the file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> questions, answers = data.chatbot_ko()  # doctest: +SKIP
    """
    one_of(SPLITS, split=split)
    path = find_file("chatbot_ko/ChatbotData.csv", CHATBOT_URL, CHATBOT_SHA256)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            [unicodedata.normalize("NFC", row[name].strip()) for name in "QA"]
            for row in csv.DictReader(file)
        ]
    chosen = [(q, a) for q, a in rows if SPLITS[held_out(_letters(q))] == split]
    questions, answers = zip(*chosen)
    return list(questions), list(answers)


def _letters(question):
    return "".join(c for c in question if c.isalnum()) or question
