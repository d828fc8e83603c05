"""The cost of padding: real texts at one length, and bucketed by length.

If all rows are padded to the longest text, most of the computation is on
padding. `BatchByLength` batches texts of similar length.
"""

import keras
import numpy as np

from benchmarks import berts, contenders, report
from keras_seq import data
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.text import MaskedLMMaskGenerator, WordPieceTokenizer
from keras_seq.training import BatchByLength, without_padding


def real_texts():
    """Return the name of a data set of real texts, and the texts."""
    try:
        return "nsmc-40k", data.nsmc()[0]
    except FileNotFoundError as error:
        print(f"Docstrings instead of reviews: {error}")
        packages = ("stdlib", "keras", "numpy")
        return "docstrings", data.docstrings(packages=packages)[0]


def by_length(name, texts, sizes, rounds=3):
    """Time training on texts, padded to one length and bucketed by length.

    The objective is masked language modeling. The first batches of a random
    order are timed, after one round of training on each.

    Args:
        name: str, name of the texts.
        texts: list of str.
        sizes: as in `benchmarks.bert`; longer texts are cut to `length`.
        rounds: int > 0. Default 3.
    Returns:
        dict: `texts, dtype, rows, padding{way: share of an epoch's ids},
        seconds_per_text{way: float}, times_by_length`, the seconds per text
        at one length over those by length.
    """
    draw = np.random.default_rng(0)
    some = draw.permutation(len(texts))[: sizes["texts"]]
    texts = [texts[i] for i in some]
    tokenizer = WordPieceTokenizer.train(texts, sizes["vocab"])
    cut = {"sequence_length": sizes["length"], "truncate": True}
    rows = tokenizer.tokenize(texts, start=True, end=True, **cut)
    rows = without_padding(rows)
    longest = max(map(len, rows))
    calls, counts, padding = {}, {}, {}
    for way, buckets in (("one length", [longest]), ("by length", None)):
        labels = np.zeros(len(rows))  # replaced later by masked words
        epoch = BatchByLength(rows, labels, sizes["batch"], buckets=buckets)
        batches = [epoch[i][0] for i in range(len(epoch))]
        padding[way] = 1 - sum(map(len, rows)) / sum(b.size for b in batches)
        timed = batches[: sizes["batches"]]
        counts[way] = sum(map(len, timed))
        calls[way] = reader(timed, tokenizer, sizes)
    seconds = time_interleaved(calls, rounds, warmup=1)
    per_text = {w: [s / counts[w] for s in seconds[w]] for w in seconds}
    return {
        "texts": name,
        "dtype": "float32",
        "rows": len(rows),
        "padding": padding,
        "seconds_per_text": {
            way: report.summary(s)["median"] for way, s in per_text.items()
        },
        "times_by_length": median_ratio(*per_text.values()),
    }


def reader(batches, tokenizer, sizes):
    """Return a function that trains a new model on each masked batch."""
    masker = MaskedLMMaskGenerator(tokenizer)
    keras.utils.set_random_seed(0)
    model = berts.ours(sizes, "float32", berts.WORDS)
    given = [
        masker({"token_ids": ids}, step) for step, ids in enumerate(batches)
    ]
    given = [(x, {"masked_lm": x.pop("labels")}) for x in given]

    def read():
        for x, y in given:
            model.train_on_batch(x, y)

    if keras.backend.backend() == "torch":
        return contenders.with_threads(report.cores(), read)
    return read
