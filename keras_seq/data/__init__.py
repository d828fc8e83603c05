"""Data sets: built in, generated, or read from files.

    built in, without a download           one example
    pydocs, pydocs_text                    the documentation of Python
    names                                  a name -> its language
    dialogues                              a question -> an answer
    docstrings                             a body -> its summary
    digits, digit_captions                 (8, 8) -> 0..9 -> "seven", "칠"
    moving_digits                          (T, 16, 16) -> (T,)

    generated
    dates                                  "5. März 1950" -> "1950-03-05"
    dated_sentences                        a sentence -> year, month and day
    function_facts, first_facts            question, text -> answer
    hello                                  "hell" -> "ello"
    addition                               "535+61" -> "596"
    adding                                 (T, 2) -> the sum of two numbers
    copying                                (T,) -> (T,)
    recall                                 "c9k8j3f1??c" -> 9
    synthetic_demand                       a series with days and weeks
    synthetic_captions                     (24, 24, 3) -> "big red circle"

    files, found by `find_file`
    tinyshakespeare                        plays, as characters
    wikitext2                              articles of English Wikipedia
    nsmc                                   a Korean film review -> 1 or 0
    multi30k                               a German caption -> an English one
    chatbot_ko                             a Korean question -> an answer
    cifar10_10k                            (32, 32, 3) -> 0..9
    electricity_demand                     half-hourly demand in MW
    emoji_captions                         (48, 48, 3) -> "red apple"

Each function has an argument `split` or `seed`, or both, and returns NumPy
arrays and lists of str. `split` is "train" for the training set or "test" for
the test set; `multi30k` also has "val", a validation set, and captions have
the splits `EMOJI_SPLITS`. The result is the
same on every machine, except where another version of Python, Babel or a
documented package has other texts.
"""

from keras_seq.data.character_tasks import (
    HELLO_VOCABULARY,
    addition,
    carries,
    hello,
)
from keras_seq.data.cifar_images import CIFAR10_LABELS, cifar10_10k
from keras_seq.data.data_files import find_file
from keras_seq.data.date_tagging import dated_sentences
from keras_seq.data.dialogue_pairs import DIALOGUE_LANGUAGES, dialogues
from keras_seq.data.digit_images import CAPTIONS, digit_captions, digits
from keras_seq.data.digit_videos import moving_digits
from keras_seq.data.docstring_summaries import DOCSTRING_PACKAGES, docstrings
from keras_seq.data.electricity_series import (
    electricity_demand,
    synthetic_demand,
)
from keras_seq.data.emoji_pictures import (
    EMOJI_SPLITS,
    emoji_captions,
    synthetic_captions,
)
from keras_seq.data.locale_names import LANGUAGES, names
from keras_seq.data.localized_dates import dates
from keras_seq.data.memory_tasks import (
    RECALL_VOCABULARY,
    adding,
    copying,
    recall,
)
from keras_seq.data.python_documentation import (
    paragraphs,
    pydocs,
    pydocs_text,
    sentences,
    split_sentences,
)
from keras_seq.data.question_answering import first_facts, function_facts
from keras_seq.data.text_corpora import nsmc, tinyshakespeare, wikitext2
from keras_seq.data.text_pairs import MULTI30K_LANGUAGES, chatbot_ko, multi30k

__all__ = [
    "CAPTIONS",
    "CIFAR10_LABELS",
    "DIALOGUE_LANGUAGES",
    "DOCSTRING_PACKAGES",
    "EMOJI_SPLITS",
    "HELLO_VOCABULARY",
    "LANGUAGES",
    "MULTI30K_LANGUAGES",
    "RECALL_VOCABULARY",
    "adding",
    "addition",
    "carries",
    "chatbot_ko",
    "cifar10_10k",
    "copying",
    "dated_sentences",
    "dates",
    "dialogues",
    "digit_captions",
    "digits",
    "docstrings",
    "electricity_demand",
    "emoji_captions",
    "find_file",
    "first_facts",
    "function_facts",
    "hello",
    "moving_digits",
    "multi30k",
    "names",
    "nsmc",
    "paragraphs",
    "pydocs",
    "pydocs_text",
    "recall",
    "sentences",
    "split_sentences",
    "synthetic_captions",
    "synthetic_demand",
    "tinyshakespeare",
    "wikitext2",
]
