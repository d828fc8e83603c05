"""Pictures: arrays in, a matplotlib Figure out.

No pyplot and no rcParams: a figure is built, dressed with a font that has its
letters, and returned; `save` writes it, and a notebook shows it by itself.
"""

from keras_seq.plots.drawing import (
    HANGUL_FONTS,
    VISIBLE,
    font_family,
    hangul_font,
)
from keras_seq.plots.gates import gates
from keras_seq.plots.images import (
    attention_maps,
    captions,
    clip,
    patches,
    position_similarity,
)
from keras_seq.plots.lines import bars, curves, gradient_by_lag
from keras_seq.plots.tables import alignment, confusion, heads, probabilities

__all__ = [
    "HANGUL_FONTS",
    "VISIBLE",
    "alignment",
    "attention_maps",
    "bars",
    "captions",
    "clip",
    "confusion",
    "curves",
    "font_family",
    "gates",
    "gradient_by_lag",
    "hangul_font",
    "heads",
    "patches",
    "position_similarity",
    "probabilities",
]
