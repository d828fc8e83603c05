"""Pretraining time of our BERT and of other libraries, in turns.

    KERAS_BACKEND=jax python -m benchmarks.bert --peers keras_hub

A pretraining step (forward, loss, backward, Adam) of BERT-mini. Rows are full,
and 15% of their positions are masked. The objective is masked language modeling
(MLM) alone, as in KerasHub's `BertMaskedLM`, or with next sentence prediction
(NSP), as in `transformers`' `BertForPreTraining` on PyTorch, which computes
logits at every position. (KerasHub's is compared with both, though it does
less.) Our last block computes only the positions that are used.

Each library gets our weights and, in float32, must return our logits to 1e-4
before it is timed. For that, ours uses KerasHub's GELU (tanh, in the blocks
only) for MLM, and the paper's (erf) for both. A ratio is our time divided by
the time of the other library.

Then the cost of padding: see `benchmarks.padding`.

Shapes: B batch, T length, V vocabulary.
"""

import math

import keras
import numpy as np

from benchmarks import berts, contenders, padding, recurrent, report
from benchmarks.berts import BOTH, WORDS
from benchmarks.transformer import DTYPES, in_precision
from keras_seq.evaluation import median_ratio

SIZES = {
    "layers": 4,  # this, the width and the heads are those of BERT-mini
    "units": 256,
    "heads": 4,
    "vocab": 8000,
    "length": 128,
    "batch": 16,
    "texts": 5000,  # real ones, an epoch
    "batches": 100,  # of that epoch, timed
}
QUICK_SIZES = {
    "layers": 1,
    "units": 8,
    "heads": 2,
    "vocab": 99,
    "length": 16,
    "batch": 2,
    "texts": 64,
    "batches": 7,
}
COMPARED = {WORDS: ("keras_hub",), BOTH: ("keras_hub", "transformers")}
PEERS = ("keras_hub", "transformers")


def batch(sizes, seed):
    """Draw a batch: ids, segments, masked positions, and labels."""
    draw = np.random.default_rng(seed)
    B, T, V = sizes["batch"], sizes["length"], sizes["vocab"]
    positions = draw.permuted(np.tile(np.arange(T), (B, 1)), axis=1)
    positions = np.sort(positions[:, : math.ceil(0.15 * T)]).astype("int32")
    x = {
        "token_ids": draw.integers(1, V, (B, T), "int32"),
        "segment_ids": np.tile(np.arange(T) >= T // 2, (B, 1)).astype("int32"),
        "mask_positions": positions,
    }
    y = {
        "masked_lm": draw.integers(1, V, positions.shape, "int32"),
        "next_sentence": draw.integers(0, 2, B, "int32"),
    }
    return x, y


def on_keras_hub(model, x, y):
    """Make a contender of KerasHub's model, whose labels come with weights."""
    given = {
        "token_ids": x["token_ids"],
        "segment_ids": x["segment_ids"],
        "padding_mask": np.ones_like(x["token_ids"]),
        "mask_positions": x["mask_positions"],
    }
    labels = y["masked_lm"]
    counted = np.ones(labels.shape, "float32")
    return contenders.of_model(model, given, labels, counted)


def on_torch(model, x, y, dtype):
    """Make a contender of `transformers`' model, trained as its users do."""
    import torch

    labels = np.full(x["token_ids"].shape, -100)  # -100: not masked
    np.put_along_axis(labels, x["mask_positions"], y["masked_lm"], axis=1)
    given = {
        "input_ids": x["token_ids"],
        "attention_mask": np.ones_like(x["token_ids"]),
        "token_type_ids": x["segment_ids"],
        "labels": labels,
        "next_sentence_label": y["next_sentence"],
    }
    device = contenders.torch_device()
    model.to(device)
    given = {k: torch.tensor(a).long().to(device) for k, a in given.items()}
    adam = torch.optim.Adam(
        model.parameters(), lr=berts.RATE, eps=berts.EPSILON
    )
    call = in_precision(lambda given: model(**given), dtype)

    def learn():
        adam.zero_grad()
        loss = call(given).loss
        loss.backward()
        return loss

    def step():
        loss = learn()
        adam.step()
        return loss.item()

    @torch.no_grad()
    def forward():
        found = call(given)
        masked = found.prediction_logits.float().cpu().numpy()
        masked = np.take_along_axis(
            masked, x["mask_positions"][..., None], axis=1
        )
        following = found.seq_relationship_logits.float().cpu().numpy()
        return np.concatenate([masked.ravel(), following.ravel()])

    threads = contenders.quicker_threads(learn)
    return contenders.Contender(
        contenders.with_threads(threads, forward),
        contenders.with_threads(threads, step),
        threads,
    )


def rivals(sizes, dtype, peers=PEERS, seed=0):
    """Make contenders that hold the same weights: dict of name to Contender.

    Ours are named by their objectives.

    Raises:
        ValueError: if a peer has another number of weights than ours, or in
            float32 gives other logits.
    """
    keras.utils.set_random_seed(seed)
    x, y = batch(sizes, seed)
    mine = {
        objective: berts.ours(sizes, dtype, objective) for objective in COMPARED
    }
    only = {"masked_lm": y["masked_lm"]}
    found = {
        WORDS: contenders.of_model(mine[WORDS], x, only),
        BOTH: contenders.of_model(mine[BOTH], x, y),
    }
    like = {"keras_hub": WORDS, "transformers": BOTH}
    for name in peers:
        model = mine[like[name]]
        if name == "keras_hub":
            theirs = berts.of_keras_hub(sizes, dtype)
            check_size(model, name, theirs.count_params())
            theirs.set_weights(berts.in_keras_hub_order(model.get_weights()))
            found[name] = on_keras_hub(theirs, x, y)
        else:
            theirs = berts.of_transformers(model)
            count = sum(w.numel() for w in theirs.parameters())
            check_size(model, name, count)
            found[name] = on_torch(theirs, x, y, dtype)
        if dtype == "float32":
            pair = {"keras_seq": found[like[name]], name: found[name]}
            recurrent.largest_difference(pair)
    return found


def check_size(mine, name, count):
    """Raise a ValueError unless a peer has as many weights as ours."""
    if count != mine.count_params():
        counts = {"keras_seq": mine.count_params(), name: count}
        raise ValueError(f"All must have as many weights. Received {counts}.")


def measure(sizes, dtype, peers=PEERS, rounds=10, builds=2):
    """Time the pretraining step in one precision.

    Returns:
        list of a dict for each of our two: `objective, dtype, builds,
        seconds{name: summary}, ratio{peer: ours / peer}`.
    """
    seconds = contenders.turns(
        lambda build: rivals(sizes, DTYPES[dtype], peers, build),
        rounds,
        builds,
        {"training": "step"},
    )["training"]
    results = []
    for objective, compared in COMPARED.items():
        timed = {"keras_seq": seconds[objective]}
        timed |= {name: seconds[name] for name in compared if name in peers}
        results.append(
            {
                "objective": objective,
                "dtype": dtype,
                "builds": builds,
                "seconds": {n: report.summary(s) for n, s in timed.items()},
                "ratio": {
                    name: median_ratio(timed["keras_seq"], s)
                    for name, s in timed.items()
                    if name != "keras_seq"
                },
            }
        )
    return results


def row(result):
    """Write a result as a line of the table: ours in ms, then the ratios."""
    if "texts" in result:
        what = f"{result['texts']}, a text, bucketed"
        ms = 1000 * result["seconds_per_text"]["by length"]
    else:
        what = result["objective"]
        ms = 1000 * result["seconds"]["keras_seq"]["median"]
    cells = {"what": what, "dtype": result["dtype"], "ms": f"{ms:.2f}"}
    times = {f"ours/{n}": t for n, t in result.get("ratio", {}).items()}
    times["one length/by length"] = result.get("times_by_length")
    for name in (*(f"ours/{peer}" for peer in PEERS), "one length/by length"):
        value = times.get(name)
        cells[name] = "" if value is None else f"{value:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 10, PEERS)
    sizes = QUICK_SIZES if args.quick else SIZES
    builds, results = 1 if args.quick else 2, []
    for dtype in DTYPES:
        results += measure(sizes, dtype, args.peers, args.rounds, builds)
    few = math.ceil(args.rounds / 3)  # each is many batches
    results.append(padding.by_length(*padding.real_texts(), sizes, few))
    report.publish("bert", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
