"""Bilingual texts for the small models; the lines of both languages are mixed.

`lines` and `quoted_lines`, for the character models, have the dialogues and
the lessons, all from this repository, under its license. `many_lines`, for GPT
and BERT, adds texts whose licenses allow redistribution: articles of Wikipedia
(WikiText-2, CC BY-SA 3.0), Python's documentation (PSF License), small talk in
Korean (chatbot_ko, MIT) and Korean film reviews (nsmc, CC0).
"""

import pathlib
import random
import re
import unicodedata

from keras_seq import data

LOCALE = pathlib.Path("docs/locale/ko/LC_MESSAGES/tutorials")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKUP = re.compile(r"[`*]|<[^>]+>")
REVIEWS = 12_000  # of 40,000
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


def dialogues(language, split="train", quoted=True):
    """List dialogues, in quotes or not: '"Hello!" "How are you?"'."""
    mark = '"' if quoted else ""
    return [
        f"{mark}{question}{mark} {mark}{answer}{mark}"
        for question, answer in zip(*data.dialogues(language, split))
    ]


def split_paragraphs(seed=0):
    """Return the lessons' paragraphs, shuffled: most, and one in twenty."""
    english, korean = paragraphs()
    every = [*english, *korean]
    random.Random(seed).shuffle(every)
    return [x for n, x in enumerate(every) if n % 20], every[::20]


def lines(seed=0):
    """Return all lines, shuffled: list of str for training, and held out."""
    train, test = split_paragraphs(seed)
    for language in ("en", "ko"):
        train += dialogues(language, quoted=False) * 2
        test += dialogues(language, "test", quoted=False)
    random.Random(seed).shuffle(train)
    return train, test


def many_lines(seed=0):
    """Return lines for GPT and BERT: list of str for training, and held out."""
    train, test = lines(seed)
    every = [*wikipedia(), *documentation(), *small_talk()]
    every += data.nsmc("train")[0][:REVIEWS]
    random.Random(seed).shuffle(every)
    train += [x for n, x in enumerate(every) if n % 20]
    random.Random(seed).shuffle(train)
    return train, [*test, *every[::20]]


def wikipedia():
    """List sentences of Wikipedia in which no word is replaced by <unk>."""
    articles = [x for split in ("train", "test") for x in data.wikitext2(split)]
    found = [
        sentence
        for article in articles
        for paragraph in article.split("\n")
        for sentence in data.split_sentences(paragraph)
    ]
    return [joined(x) for x in found if "<unk>" not in x and len(x) > 20]


def joined(text):
    """Undo the spaces that WikiText puts around punctuation."""
    text = re.sub(r" @(.)@ ", r"\1", text)
    text = re.sub(r" ([.,:;?!)'])", r"\1", text)
    return re.sub(r'" ([^"]*) "', r'"\1"', text).replace("( ", "(")


def documentation():
    """List sentences of Python's documentation without markup."""
    found = [
        sentence
        for page in data.pydocs("train").values()
        for paragraph in data.paragraphs(page)
        for sentence in data.split_sentences(paragraph)
    ]
    return [x for x in found if len(x) > 20 and not re.search(r"[*`]{2}", x)]


def small_talk():
    """List questions and answers of chatbot_ko, a pair a line."""
    return [
        f"{question} {answer}"
        for question, answer in zip(*data.chatbot_ko("train"))
    ]


def quoted_lines(seed=0):
    """Return lines for the character models: half of the dialogues in quotes.

    The others have none, so that at the end of a sentence a model has to
    remember whether a quotation is open.
    """
    train, test = split_paragraphs(seed)
    train, test = train[::2], test[::2]
    for language in ("en", "ko"):
        for quoted in (True, False):
            train += dialogues(language, quoted=quoted)
            test += dialogues(language, "test", quoted=quoted)
    random.Random(seed).shuffle(train)
    random.Random(seed).shuffle(test)
    return train, test
