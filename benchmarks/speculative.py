"""Greedy and speculative decoding of a trained GPT, in turns.

    KERAS_BACKEND=tensorflow python -m benchmarks.speculative

A GPT continues prompts of held-out text, one at a time: by `generate`, and by
`generate_speculatively` with a small draft model. Both must generate the same
tokens.

Two models with random weights never agree, so both are trained first, which
takes most of the time: the GPT on the characters of Python's documentation, and
the draft model on its output, greedy decoding after prompts of the training
text (distillation of sequences, Kim & Rush (2016), arXiv:1606.07947).

Shapes: N rows, T prompt and generated tokens, L generated tokens, K proposed
tokens.
"""

import keras
import numpy as np

from benchmarks import gpts, report
from keras_seq import data
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.generation import generate, generate_speculatively
from keras_seq.generation.speculative import speculative_loop
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    NatsPerToken,
    TokenCrossEntropy,
    WarmupCosineDecay,
)

SIZES = {
    "model": {"units": 512, "heads": 8, "layers": 12},
    "draft": {"units": 128, "heads": 4, "layers": 2},
    "prompt": 32,
    "length": 160,
    "batch": 4,
    "steps": 600,  # of training, of each model
    "distilled": 512,  # rows that the model generates for the draft model
    "prompts": 4,
}
QUICK_SIZES = {
    "model": {"units": 8, "heads": 2, "layers": 2},
    "draft": {"units": 4, "heads": 2, "layers": 1},
    "prompt": 5,
    "length": 7,
    "batch": 2,
    "steps": 3,
    "distilled": 4,
    "prompts": 2,
}
PROPOSED, QUICK_PROPOSED = (2, 4, 6, 8), (2,)  # values of K


def windows(ids, count, length, seed):
    """Draw windows of a text: int (count, length)."""
    draw = np.random.default_rng(seed)
    begin = draw.integers(0, len(ids) - length, (count, 1))
    return ids[begin + np.arange(length)].astype("int32")


def fit(model, rows, batch, epochs=1, rate=1e-3):
    """Train a language model on rows of ids, int (N, T)."""
    steps = epochs * -(-len(rows) // batch)
    model.compile(
        keras.optimizers.AdamW(
            WarmupCosineDecay(rate, steps, steps // 10),
            weight_decay=0.1,
            beta_2=0.99,
            clipnorm=1.0,
        ),
        TokenCrossEntropy(),
        metrics=[NatsPerToken()],
        jit_compile="auto",
    )
    model.fit(rows[:, :-1], rows[:, 1:], batch, epochs, verbose=2)


def trained_models(sizes, seed=0):
    """Train the model and its draft model.

    Returns:
        model, draft model, the prompts, a list of int (1, T - L), and the
        loss of both on held-out text, a dict of float, nats per character.
    """
    keras.utils.set_random_seed(seed)
    train, test = (data.pydocs_text(split) for split in ("train", "test"))
    tokenizer = CharTokenizer.train(train)
    train, test = tokenizer.tokenize(train), tokenizer.tokenize(test)
    length, batch = sizes["prompt"] + sizes["length"], sizes["batch"]
    model, draft_model = (
        gpts.ours({"vocab": tokenizer.vocabulary_size(), **sizes[name]}, length)
        for name in ("model", "draft")
    )
    fit(model, windows(train, batch * sizes["steps"], length, seed), batch)
    rows = generated(model, train, sizes, seed + 1)
    # 4 times the rows in a batch: the draft model is small.
    epochs = -(-4 * batch * sizes["steps"] // len(rows))
    fit(draft_model, rows, 4 * batch, epochs, rate=3e-3)
    held_out = windows(test, 16 * batch, length, seed)
    loss = {
        name: each.evaluate(
            held_out[:, :-1],
            held_out[:, 1:],
            4 * batch,
            verbose=0,
            return_dict=True,
        )["nats_per_token"]
        for name, each in (("model", model), ("draft", draft_model))
    }
    prompts = windows(test, sizes["prompts"], sizes["prompt"], seed)
    return model, draft_model, list(prompts[:, None]), loss


def generated(model, ids, sizes, seed):
    """Continue prompts of a text by greedy decoding: int (N, T)."""
    prompts = windows(ids, sizes["distilled"], sizes["prompt"], seed)
    parts = np.array_split(prompts, max(1, len(prompts) // 64))
    answers = [
        generate(model, part, max_length=sizes["length"]).ids for part in parts
    ]
    return np.concatenate([prompts, np.concatenate(answers)], axis=1)


def measure(model, draft_model, prompts, length, K, rounds):
    """Time both ways in turns, each for all prompts, one at a time.

    Returns:
        dict: `num_draft_tokens`, `same_tokens`, `accepted` (share of the
        proposals), `seconds`, `tokens_per_second` of both and `speedup`.
    Raises:
        ValueError: if the tokens differ.
    """

    def greedy():
        return [generate(model, p, max_length=length).ids for p in prompts]

    def speculative():
        return [
            generate_speculatively(
                model, draft_model, p, max_length=length, num_draft_tokens=K
            ).ids
            for p in prompts
        ]

    same = float(np.mean(np.array(greedy()) == np.array(speculative())))
    if same < 0.9:  # near ties may differ
        raise ValueError(
            f"Both ways must generate the same tokens: {same:.3f} are equal."
        )
    calls = {"greedy": greedy, "speculative": speculative}
    seconds = time_interleaved(calls, rounds, warmup=1)
    summaries = {way: report.summary(s) for way, s in seconds.items()}
    tokens = len(prompts) * length
    return {
        "num_draft_tokens": K,
        "same_tokens": same,
        "accepted": accepted(model, draft_model, prompts, length, K),
        "seconds": summaries,
        "tokens_per_second": {
            way: round(tokens / s["median"], 1) for way, s in summaries.items()
        },
        "speedup": median_ratio(seconds["greedy"], seconds["speculative"]),
    }


def accepted(model, draft_model, prompts, length, K):
    """Return the share of the proposals that are accepted."""
    loop = speculative_loop(model, draft_model, K, length, None)
    counts = [loop.run(prompt)[2:] for prompt in prompts]
    rounds, found = np.sum(counts, axis=0)
    return float(found / (K * rounds))


def row(result):
    """Write a result as a line of the table."""
    speeds = result["tokens_per_second"]
    return {
        "draft tokens": result["num_draft_tokens"],
        "accepted": f"{result['accepted']:.0%}",
        **{f"{way} tok/s": f"{speed:.0f}" for way, speed in speeds.items()},
        "speedup": f"{result['speedup']:.2f}",
    }


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 5)
    sizes = QUICK_SIZES if args.quick else SIZES
    *models, prompts, loss = trained_models(sizes)
    results = [
        measure(*models, prompts, sizes["length"], K, args.rounds)
        for K in (QUICK_PROPOSED if args.quick else PROPOSED)
    ]
    report.publish("speculative", args, results, row, sizes=sizes, loss=loss)


if __name__ == "__main__":
    main()
