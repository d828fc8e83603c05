"""Electricity demand: forecast the next day, one value for each half hour.

`electricity_demand` is the demand of England and Wales from 5 June to 27 August
2000, 84 days from a Monday to a Sunday: Taylor (2003), "Short-term electricity
demand forecasting using double seasonal exponential smoothing", Journal of the
Operational Research Society 54, 799-805. The series was provided by J. W.
Taylor and is shipped with pmdarima (MIT license), `load_taylor`. The last two
weeks are the test set. `find_file` finds the file and compares it with its
checksum.

Baselines, mean absolute error on the test set: 514 MW for the same time a week
before, 1,923 MW for the same time a day before. The mean demand there is
29,885 MW.

`synthetic_demand` draws a series of the same length that needs no file: a daily
and a weekly pattern, and a deviation that lasts for days, as the weather does.

Shapes: N half hours.
"""

import numpy as np

from keras_seq.checks import not_negative_int, one_of
from keras_seq.data.data_files import find_file
from keras_seq.data.splits import SPLITS

DAY, WEEK = 48, 336  # half hours
TEST = 2 * WEEK
TAYLOR_SHA256 = (
    "8950a55f3624499556820325e24aac0648564393df8e0da3c21bbb6ff3591326"
)
TAYLOR_ORIGIN = (
    "pmdarima.datasets.load_taylor of https://github.com/alkaline-ml/pmdarima, "
    "written as the line 'megawatts' and one whole number per line"
)


def electricity_demand(split="train"):
    """Load the electricity demand of England and Wales in the summer of 2000.

    The first value is that of a Monday after midnight. The test set continues
    the training set.

    Args:
        split: str, "train", ten weeks, or "test", two weeks. Default "train".
    Returns:
        float32 (N,), mean demand of each half hour in MW; N is 3,360 or 672.
    Raises:
        FileNotFoundError: if the file is missing; it cannot be downloaded.
        ValueError: if the file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> megawatts = data.electricity_demand("test")  # doctest: +SKIP
    """
    one_of(SPLITS, split=split)
    path = find_file(
        "electricity/taylor.csv", None, TAYLOR_SHA256, TAYLOR_ORIGIN
    )
    megawatts = np.loadtxt(path, dtype="float32", skiprows=1)
    return megawatts[:-TEST] if split == "train" else megawatts[-TEST:]


def synthetic_demand(split="train", seed=0):
    """Draw a series like electricity demand: days, weeks and a slow deviation.

        demand_t = 30000 + 5000 pattern_t + s_t + noise_t
        s_t      = 0.997 s_{t-1} + 80 z_t        # deviates by 1,000 MW

    The pattern is that of the half hour, lower on weekends. s_t loses half of
    its value in five days, so the last day is nearer to it than the same time a
    week before. The noise, of 100 MW, cannot be predicted.

    Args:
        split: str, "train", ten weeks, or "test", the two weeks after them.
            Default "train".
        seed: int >= 0, seed of the series. Default 0.
    Returns:
        float32 (N,), in MW, from a Monday on; N is 3,360 or 672.
    Raises:
        ValueError: if `split` is unknown or `seed` is negative.
    Example:
        >>> from keras_seq import data
        >>> data.synthetic_demand().shape, data.synthetic_demand("test").shape
        ((3360,), (672,))
    """
    one_of(SPLITS, split=split)
    not_negative_int(seed=seed)
    rng = np.random.default_rng(seed)
    time = np.arange(12 * WEEK)
    angle = 2 * np.pi * time / DAY
    day = -np.cos(angle - 0.8) - 0.3 * np.cos(2 * angle)  # two peaks
    day = np.where(time % WEEK < 5 * DAY, day, 0.8 * day - 0.6)
    deviation = np.zeros(len(time))
    for t, push in enumerate(80 * rng.standard_normal(len(time))):
        deviation[t] = 0.997 * deviation[t - 1] + push
    noise = 100 * rng.standard_normal(len(time))
    megawatts = (30_000 + 5_000 * day + deviation + noise).astype("float32")
    return megawatts[:-TEST] if split == "train" else megawatts[-TEST:]
