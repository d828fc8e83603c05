"""Plots: arrays in, a matplotlib Figure out.

Neither pyplot nor rcParams is used: each function creates a Figure, chooses a
font that has all its characters, and returns it. `figure.savefig` writes it; a
notebook displays it if it is the last value of a cell.
"""

from keras_seq.plots.attention import alignment, attention_heads
from keras_seq.plots.bars import bars
from keras_seq.plots.drawing import (
    HANGUL_FONTS,
    VISIBLE,
    font_family,
    hangul_font,
)
from keras_seq.plots.embedding_map import embedding_map
from keras_seq.plots.gates import gates
from keras_seq.plots.images import captions, clip
from keras_seq.plots.inside import look_inside
from keras_seq.plots.lines import curves, gradient_by_lag
from keras_seq.plots.patches import (
    attention_maps,
    patches,
    position_similarity,
)
from keras_seq.plots.tables import confusion_matrix, probabilities
from keras_seq.plots.word_maps import word_maps

__all__ = [
    "HANGUL_FONTS",
    "VISIBLE",
    "alignment",
    "attention_heads",
    "attention_maps",
    "bars",
    "captions",
    "clip",
    "confusion_matrix",
    "curves",
    "embedding_map",
    "font_family",
    "gates",
    "gradient_by_lag",
    "hangul_font",
    "look_inside",
    "patches",
    "position_similarity",
    "probabilities",
    "word_maps",
]
