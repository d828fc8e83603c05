"""Small trained models that come with the package.

    python -m keras_seq.demo           # one answer of each, without a network

    characters_rnn, _gru, _lstm        predict the next letter
    dates_seq2seq, _bahdanau, _luong, _transformer
                                       "5. März 1950" -> "1950-03-05"
    gpt                                continues a text
    bert                               fills in [MASK]
    reviews                            is a film review positive or negative?
    digits_vit                         reads a handwritten digit

`names()` lists them; `python -m look train` (in the repository) trains them,
the longest for half an hour on one processor core. Each text model reads
English and Korean (`reviews` Korean only). The models show how these networks
work, not how well large ones do. The look-inside page runs the same weights.

Trained on: the lessons and dialogues of this project (Apache-2.0); for `gpt`
and `bert` also sentences of English Wikipedia (WikiText-2, CC BY-SA 3.0),
Python's documentation (PSF-2.0), Korean small talk (chatbot_ko, MIT) and Korean
film reviews (nsmc, CC0); for `reviews` the film reviews with their labels; for
the dates the formats of Unicode CLDR (Unicode License v3); for the digits those
of the UCI repository (CC BY 4.0).
"""

from keras_seq.demo.answers import (
    classify_digit,
    classify_review,
    continue_text,
    fill_blank,
    load,
    names,
    translate_date,
)
from keras_seq.demo.store import load_small, save_small

__all__ = [
    "classify_digit",
    "classify_review",
    "continue_text",
    "fill_blank",
    "load",
    "load_small",
    "names",
    "save_small",
    "translate_date",
]
