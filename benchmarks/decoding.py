"""Our decoding and a plain loop over the growing prefix.

    KERAS_BACKEND=jax python -m benchmarks.decoding

A translator generates LENGTH tokens without an end token, for a batch of 1 and
of 64 sources: `generate` with Greedy and with a beam of four, and a plain Keras
loop that calls the model on the growing prefix and takes the most likely token:
not compiled, and with the whole prefix recomputed at each step. Both must
generate the same tokens, except for one in a hundred (near ties), before they
are timed.

Shapes: B batch, S source length, L generated length.
"""

import keras
import numpy as np

from benchmarks import report
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.generation import BeamSearch, Greedy, generate
from keras_seq.models import BahdanauSeq2Seq, Seq2Seq

KINDS = {"Seq2Seq": Seq2Seq, "BahdanauSeq2Seq": BahdanauSeq2Seq}
SIZES = {"vocab": 4000, "units": 256, "source": 20, "length": 100}
QUICK_SIZES = {"vocab": 11, "units": 5, "source": 3, "length": 4}


def growing_prefix(model, source, length):
    """Generate `length` tokens by a plain loop: int (B, S) -> int (B, L)."""
    ids = np.full((len(source), 1), model.start_id, "int32")
    for _ in range(length):
        logits = model({"source": source, "target": ids}, training=False)
        last = np.array(keras.ops.convert_to_numpy(logits[:, -1]))
        last[:, [model.pad_id, model.end_id]] = -np.inf
        ids = np.append(ids, last.argmax(-1)[:, None], axis=1)
    return ids[:, 1:].astype("int32")


def ways(kind, batch, sizes, seed=0):
    """Make the three ways to decode, as functions () -> int (B, L).

    Args:
        kind: one of KINDS.
        batch: int > 0, B.
        sizes: dict with the entries of SIZES.
        seed: int, of the weights and the sources.
    """
    keras.utils.set_random_seed(seed)
    vocab, length = sizes["vocab"], sizes["length"]
    source = np.random.default_rng(seed).integers(
        4, vocab, (batch, sizes["source"]), "int32"
    )
    model = KINDS[kind](vocab, vocab, sizes["units"])
    model({"source": source, "target": source[:, :1]})

    def decode(sampler):
        return generate(model, source, sampler, max_length=length).ids

    on = {"min_length": length}  # until the end
    return {
        "greedy": lambda: decode(Greedy(**on)),
        "beam 4": lambda: decode(BeamSearch(4, **on)),
        "growing prefix": lambda: growing_prefix(model, source, length),
    }


def measure(kind, batch, sizes, rounds):
    """Time the three ways in turns; the last, of many seconds, only once.

    Returns:
        dict: `model, batch, length, seconds{way: summary}, tokens_per_second
        {way: float}, beam_over_greedy, prefix_over_greedy`.
    Raises:
        ValueError: if greedy decoding and the loop generate other tokens.
    """
    calls = ways(kind, batch, sizes)
    same = np.mean(calls["greedy"]() == calls["growing prefix"]())
    if same < 0.99:  # near ties may differ
        raise ValueError(
            f"Greedy must generate the tokens of the loop: {same:.3f}."
        )
    once = {way: calls[way] for way in ("greedy", "growing prefix")}
    often = {way: calls[way] for way in ("greedy", "beam 4")}
    beside = time_interleaved(once, rounds=1, warmup=0)
    seconds = beside | time_interleaved(often, rounds, warmup=1)
    summaries = {way: report.summary(s) for way, s in seconds.items()}
    tokens = batch * sizes["length"]
    return {
        "model": kind,
        "batch": batch,
        "length": sizes["length"],
        "same_tokens": float(same),
        "seconds": summaries,
        "tokens_per_second": {
            way: round(tokens / s["median"], 1) for way, s in summaries.items()
        },
        "beam_over_greedy": median_ratio(seconds["beam 4"], seconds["greedy"]),
        "prefix_over_greedy": median_ratio(
            beside["growing prefix"], beside["greedy"]
        ),
    }


def row(result):
    """Write a result as a line of the table: tokens a second, then ratios."""
    cells = {"model": result["model"], "batch": result["batch"]}
    for way, speed in result["tokens_per_second"].items():
        cells[f"{way} tok/s"] = f"{speed:.0f}"
    for name in ("beam_over_greedy", "prefix_over_greedy"):
        cells[name.replace("_over_", " / ")] = f"{result[name]:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 15)
    sizes = QUICK_SIZES if args.quick else SIZES
    results = [
        measure(kind, batch, sizes, args.rounds)
        for kind in KINDS
        for batch in (1, 64)
    ]
    report.publish("decoding", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
