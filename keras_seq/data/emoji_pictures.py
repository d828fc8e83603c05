"""Emoji: caption a picture of 48 x 48 pixels, in English and in Korean.

`emoji_captions` has 3,399 emoji in two styles of drawing, Google's and
Twitter's, with their names in both languages: "woman golfing: medium skin
tone", "골프치는 여자: 갈색 피부". It holds out two kinds of pictures:

    combination   a known person, gesture or role in a skin tone or gender that
                  it was never seen with, in both styles: the caption is new,
                  its words are not
    style         Twitter's picture of an emoji of which only Google's is in the
                  training set: the caption is known, the style is not

Both have a validation and a test set. Twitter draws all families alike: three
pictures of `style_test` and one of `style_val` look like those of other names.

The pictures are those of emoji-datasource 16.0.0 (64 pixels made 48, on white):
Google's from Noto Emoji (Apache 2.0), Twitter's from Twemoji (CC BY 4.0); the
names are those of emojibase-data 17.0.0 (MIT). `find_file` finds the files and
compares them with their checksums.

Baselines, share of captions that are exactly right, by the name of the training
picture with the nearest pixels: 0.057 on `style_test`, 0 on `combination_test`.

`synthetic_captions` draws pictures of the same kind that need no file: colored
shapes, filled or as outlines.

Shapes: N pictures.
"""

import csv
import itertools

import numpy as np

from keras_seq.checks import not_negative_int, one_of
from keras_seq.data.data_files import find_file

EMOJI_SPLITS = (
    *("train", "combination_val", "combination_test"),
    *("style_val", "style_test"),
)
CAPTIONS_SHA256 = (
    "41950222c8b35e901d672b8dcdf92207b13dd1756f5429b5c03fe3c6c6194785"
)
PICTURES_SHA256 = (
    "79ccec4fa695e7f20325a07572678ff3397ed89992d06235f83ce9e61d38542f"
)
EMOJI_ORIGIN = (
    "names of https://www.npmjs.com/package/emojibase-data 17.0.0; pictures of "
    "emoji-datasource-google and emoji-datasource-twitter 16.0.0, 64 pixels "
    "made 48 on white; captions.tsv (code, group, base, en, ko, split) and an "
    ".npz of google and twitter, uint8 (3399, 48, 48, 3)"
)
SIZES = (("small", "작은", 5), ("big", "큰", 9))  # English, Korean, radius
COLORS = (
    ("red", "빨간", (214, 39, 40)),
    ("orange", "주황", (255, 140, 0)),
    ("green", "초록", (44, 160, 44)),
    ("blue", "파란", (31, 119, 180)),
    ("purple", "보라", (130, 60, 190)),
    ("black", "검은", (20, 20, 20)),
)
SHAPES = (
    ("circle", "원", lambda x, y: np.hypot(x, y)),
    ("square", "네모", lambda x, y: np.maximum(abs(x), abs(y)) * 1.15),
    ("diamond", "마름모", lambda x, y: (abs(x) + abs(y)) * 0.85),
    ("triangle", "세모", lambda x, y: np.maximum(2 * abs(x) - y, 2 * y) * 0.8),
)
DRAWN, SIDE = 4, 24  # pictures of each name and style; pixels


def emoji_captions(split="train"):
    """Load pictures of emoji with their names in English and Korean.

    The training set has both styles of 2,698 emoji, and Google's picture alone
    of 476 others; among these are those of the "style" splits.

    Args:
        split: str, "train", "combination_val", "combination_test" (each with
            both styles), "style_val" or "style_test" (Twitter's). Default
            "train".
    Returns:
        pictures: uint8 (N, 48, 48, 3), Google's before Twitter's; N is 5,872,
            224, 226, 159 or 159.
        english: list of N str. Each emoji has a name of its own.
        korean: list of N str.
    Raises:
        FileNotFoundError: if a file is missing; it cannot be downloaded.
        ValueError: if a file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> pictures, en, ko = data.emoji_captions()  # doctest: +SKIP
    """
    one_of(EMOJI_SPLITS, split=split)
    captions, pictures = (
        find_file(f"emoji/{name}", None, checksum, EMOJI_ORIGIN)
        for name, checksum in (
            ("captions.tsv", CAPTIONS_SHA256),
            ("emoji.npz", PICTURES_SHA256),
        )
    )
    with captions.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    names = [(row["en"], row["ko"]) for row in rows]
    splits = [row["split"] for row in rows]
    with np.load(pictures) as arrays:
        styles = arrays["google"], arrays["twitter"]
    return _chosen(*styles, names, splits, split)


def _chosen(first, second, names, splits, split):
    """Choose the pictures of a split from two styles of the same names.

    Training has the first style of all names that are not combinations, so
    that of the names of the "style" splits, and the second of its own.
    """
    own = np.flatnonzero([each == split for each in splits])
    rows = {"train": own, "style": own[:0], "combination": own}
    rows_1 = rows[split.partition("_")[0]]
    if split == "train":
        known = [not each.startswith("combination") for each in splits]
        rows_1 = np.flatnonzero(known)
    chosen = [names[row] for row in (*rows_1, *own)]
    english, korean = map(list, zip(*chosen))
    return np.concatenate([first[rows_1], second[own]]), english, korean


def synthetic_captions(split="train", seed=0):
    """Draw pictures of one shape each, with a caption in two languages.

    A caption is a size, a color and a shape: "big red circle", "큰 빨간 원".
    The shapes of one style are filled, those of the other are outlines; the
    splits are those of `emoji_captions`. Each of the 48 captions has four
    pictures in each style, with the shape in different positions.

    Args:
        split: str, as for `emoji_captions`. Default "train".
        seed: int >= 0, seed of the positions and of the splits. Default 0.
    Returns:
        pictures: uint8 (N, 24, 24, 3), filled shapes before outlines; N is
            304, 24, 24, 16 or 16.
        english: list of N str.
        korean: list of N str.
    Raises:
        ValueError: if `split` is unknown or `seed` is negative.
    Example:
        >>> from keras_seq import data
        >>> pictures, english, korean = data.synthetic_captions()
        >>> pictures.shape, english[0], korean[0]
        ((304, 24, 24, 3), 'small red circle', '작은 빨간 원')
    """
    one_of(EMOJI_SPLITS, split=split)
    not_negative_int(seed=seed)
    rng = np.random.default_rng(seed)
    parts = [*itertools.product(SIZES, COLORS, SHAPES)]
    # The first caption trains, so that the pictures always begin with it.
    order = 1 + rng.permutation(len(parts) - 1)
    splits = np.full(len(parts), "train", dtype=object)
    splits[order[:14]] = np.repeat(EMOJI_SPLITS[1:], (3, 3, 4, 4))
    shifts = rng.integers(-2, 3, (len(parts), DRAWN, 2))
    return _chosen(
        _drawn_all(parts, shifts, outline=False),
        _drawn_all(parts, shifts, outline=True),
        [_caption(part) for part in parts for _ in range(DRAWN)],
        splits.repeat(DRAWN),
        split,
    )


def _caption(part):
    """Return the caption of a size, a color and a shape in both languages."""
    return tuple(" ".join(words) for words in zip(*(x[:2] for x in part)))


def _drawn_all(parts, shifts, outline):
    """Draw each size, color and shape at each of its shifts."""
    pictures = [
        _drawn(*(x[2] for x in part), shift, outline)
        for part, several in zip(parts, shifts)
        for shift in several
    ]
    return np.stack(pictures)


def _drawn(radius, color, distance, shift, outline):
    """Draw one shape on white: uint8 (SIDE, SIDE, 3)."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    d = distance(x - shift[0], y - shift[1])
    inside = (d <= radius) & ((d > radius - 2.5) | (not outline))
    return np.where(inside[..., None], color, 255).astype("uint8")
