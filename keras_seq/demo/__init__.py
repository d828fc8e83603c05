"""Small trained models that come with the package.

    python -m keras_seq.demo           # one answer of each, without a network

`names()` lists those that are in this version of the package, of:

    characters_rnn, _gru, _lstm        predict the next letter
    dates_seq2seq, _bahdanau, _luong, _transformer
                                       "5. März 1950" -> "1950-03-05"
    gpt                                continues a text
    bert                               fills in [MASK]
    digits_vit                         (8, 8) -> 0..9

They were trained for some minutes on two processor cores by `python -m look
train` (in the repository), on texts of this project, the dates of
`keras_seq.data` and the digits of scikit-learn, English and Korean in one. They
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
