"""Data to learn on: built in, generated, or real.

    built in, none of it downloaded        shape of one item
    pydocs, pydocs_text                    Python's own documents
    names                                  a name -> its language
    dialogues                              a question -> a kind answer
    docstrings                             an explanation -> its summary
    digits, digit_captions                 (8, 8) -> 0..9 -> "seven", "칠"
    moving_digits                          (T, 16, 16) -> (T,)

    generated
    dates                                  "5. März 1950" -> "1950-03-05"
    dated_sentences                        a sentence -> year, month and day
    function_facts, first_facts            a question, a text -> its answer
    hello                                  "hell" -> "ello"
    addition                               "535+61" -> "596"
    adding                                 (T, 2) -> the sum of two numbers
    copying                                (T,) -> (T,)
    recall                                 "c9k8j3f1??c" -> 9

    real, found by find_file
    tinyshakespeare                        plays, by characters
    wikitext2                              articles of English Wikipedia
    nsmc                                   Korean film reviews -> good or bad
    multi30k                               a German caption -> an English one
    chatbot_ko                             a Korean question -> an answer
    cifar10_10k                            (32, 32, 3) -> 0..9, "ship"

Each function takes `split` ("train" or "test") or `seed`, or both, and gives
numpy arrays and lists of str: the same ones on every machine, but for what
another version of Python, Babel or a documented package has changed.
"""

from keras_seq.data.country_names import LANGUAGES, names
from keras_seq.data.date_pairs import dates
from keras_seq.data.dated_sentences import dated_sentences
from keras_seq.data.dialogue_pairs import DIALOGUE_LANGUAGES, dialogues
from keras_seq.data.digit_images import CAPTIONS, digit_captions, digits
from keras_seq.data.docstring_pairs import DOCSTRING_PACKAGES, docstrings
from keras_seq.data.files import find_file
from keras_seq.data.function_facts import first_facts, function_facts
from keras_seq.data.memory import RECALL_VOCABULARY, adding, copying, recall
from keras_seq.data.moving import moving_digits
from keras_seq.data.python_documents import (
    paragraphs,
    pydocs,
    pydocs_text,
    sentences,
    split_sentences,
)
from keras_seq.data.real import nsmc, tinyshakespeare, wikitext2
from keras_seq.data.real_images import CIFAR10_LABELS, cifar10_10k
from keras_seq.data.real_pairs import MULTI30K_LANGUAGES, chatbot_ko, multi30k
from keras_seq.data.toy import HELLO_VOCABULARY, addition, carries, hello

__all__ = [
    "CAPTIONS",
    "CIFAR10_LABELS",
    "DIALOGUE_LANGUAGES",
    "DOCSTRING_PACKAGES",
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
    "tinyshakespeare",
    "wikitext2",
]
