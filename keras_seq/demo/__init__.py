"""Small trained models that come with the package.

    python -m keras_seq.demo           # one answer of each, without a network

    characters_rnn, _gru, _lstm        predict the next letter
    dates_seq2seq, _bahdanau, _luong, _transformer
                                       "5. März 1950" -> "1950-03-05"

The functions for `gpt` (continues a text), `bert` (fills in [MASK]) and
`digits_vit` (reads a digit) need models that this version does not contain:
`python -m look train` (in the repository) makes them. `names()` lists those
that are there.

They were trained for some minutes on two processor cores, on texts of this
project and the dates of `keras_seq.data`, English and Korean in one. They
show how these networks work, not how well large ones do. The look-inside page
runs the same weights.
"""

from keras_seq.demo.answers import (
    classify_digit,
    continue_text,
    fill_blank,
    load,
    names,
    translate_date,
)
from keras_seq.demo.store import load_small, save_small

__all__ = [
    "classify_digit",
    "continue_text",
    "fill_blank",
    "load",
    "load_small",
    "names",
    "save_small",
    "translate_date",
]
