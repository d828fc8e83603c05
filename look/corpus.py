"""A small bilingual text: the dialogues, and the lessons in both languages.

Everything in it is from this repository, under its license. The dialogues
stand in quotes, so that a character model has a reason to remember whether a
quotation is open. Paragraphs of both languages are mixed, line by line.
"""

import pathlib
import random
import re
import unicodedata

from keras_seq import data

LOCALE = pathlib.Path("docs/locale/ko/LC_MESSAGES/tutorials")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKUP = re.compile(r"[`*]|<[^>]+>")
TABLE_OR_CODE = re.compile(r"^\s*(\||```|    |#)|={3,}|_{3,}")


def paragraphs():
    """List the lessons' paragraphs: of English str, and of Korean str."""
    from babel.messages.pofile import read_po

    english, korean = [], []
    for path in sorted(LOCALE.glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id and message.string:
                    english += clean(message.id)
                    korean += clean(message.string)
    return english, korean


def clean(text):
    """Split a text at its lines, and remove the markup."""
    lines = [x for x in text.split("\n") if not TABLE_OR_CODE.search(x)]
    text = MARKUP.sub("", LINK.sub(r"\1", " ".join(lines)))
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
    return [text] if len(text) > 20 else []


def quoted_dialogues(language):
    """List the dialogues of a language: '"Hello!" "Hello! How are you?"'."""
    found = []
    for split in ("train", "test"):
        pairs = data.dialogues(language, split)
        found += [f'"{q}" "{a}"' for q, a in zip(*pairs[:2])]
    return found


def lines(seed=0):
    """Return all lines, shuffled: list of str for training, and held out."""
    english, korean = paragraphs()
    every = [*english, *korean]
    for language in ("en", "ko"):
        every += quoted_dialogues(language) * 2
    random.Random(seed).shuffle(every)
    train = [x for n, x in enumerate(every) if n % 20]
    kept = set(train)
    return train, [x for x in every[::20] if x not in kept]
