"""Greedy and speculative decoding of a trained GPT, in turns.

    KERAS_BACKEND=tensorflow python -m benchmarks.speculative

A GPT continues prompts of held-out text, one at a time: by `generate`, and by
`generate_speculatively` with a small draft model. Both must generate the same
tokens.

Two models with random weights never agree, so both are trained first, which
takes most of the time: the model on the characters of Python's documentation;
the draft model to predict what the model predicts (distillation), after each
character of the training text and of the model's own continuations of it. How
often the two agree after the characters of the held-out text is measured too,
because greedy decoding repeats itself, and a repetition is easy to predict.

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
    "model": {"units": 320, "heads": 5, "layers": 12},
    "draft": {"units": 128, "heads": 4, "layers": 2},
    "prompt": 32,
    "length": 160,
    # Training of the model: (length, batch, steps). Short windows first: they
    # are learned faster.
    "stages": ((64, 8, 600), (192, 4, 100)),
    "batch": 16,  # of the draft model
    "distilled": 256,  # rows of text, and as many that the model generates
    "epochs": 12,  # of training of the draft model
    "prompts": 4,
}
QUICK_SIZES = {
    "model": {"units": 8, "heads": 2, "layers": 2},
    "draft": {"units": 4, "heads": 2, "layers": 1},
    "prompt": 5,
    "length": 7,
    "stages": ((3, 2, 2), (12, 2, 2)),
    "batch": 2,
    "distilled": 4,
    "epochs": 1,
    "prompts": 2,
}
PROPOSED, QUICK_PROPOSED = (2, 4, 6, 8), (2,)  # values of K


def windows(ids, count, length, seed):
    """Draw windows of a text: int (count, length)."""
    draw = np.random.default_rng(seed)
    begin = draw.integers(0, len(ids) - length, (count, 1))
    return ids[begin + np.arange(length)].astype("int32")


def fit(model, x, y, batch, epochs=1, rate=1e-3):
    """Train a language model: ids and next ids, int (N, T)."""
    steps = epochs * -(-len(x) // batch)
    model.compile(
        keras.optimizers.AdamW(
            WarmupCosineDecay(rate, steps, steps // 20),
            weight_decay=0.1,
            beta_2=0.99,
            clipnorm=1.0,
        ),
        TokenCrossEntropy(),
        metrics=[NatsPerToken()],
        jit_compile="auto",
    )
    model.fit(x, y, batch, epochs, verbose=2)


def trained_models(sizes, seed=0):
    """Train the model and its draft model.

    Returns:
        model, draft model, the prompts, a list of int (1, T - L), and a dict
        of two floats about held-out text: `loss` of the model, in nats per
        character, and `agreement`, the share of equal predictions.
    """
    keras.utils.set_random_seed(seed)
    train, test = (data.pydocs_text(split) for split in ("train", "test"))
    tokenizer = CharTokenizer.train(train)
    train, test = tokenizer.tokenize(train), tokenizer.tokenize(test)
    length = sizes["prompt"] + sizes["length"]
    model, draft_model = (
        gpts.ours({"vocab": tokenizer.vocabulary_size(), **sizes[name]}, length)
        for name in ("model", "draft")
    )
    for T, batch, steps in sizes["stages"]:
        rows = windows(train, batch * steps, T + 1, seed)
        fit(model, rows[:, :-1], rows[:, 1:], batch)
    rows = distilled(model, train, sizes, seed + 1)
    y = predictions(model, rows)
    fit(draft_model, rows, y, sizes["batch"], sizes["epochs"], rate=3e-3)
    held_out = windows(test, 64, length + 1, seed)
    x, y = held_out[:, :-1], held_out[:, 1:]
    _, nats = model.evaluate(x, y, sizes["batch"], verbose=0)
    same = predictions(model, x) == predictions(draft_model, x)
    prompts = windows(test, sizes["prompts"], sizes["prompt"], seed)
    measured = {"loss": nats, "agreement": float(np.mean(same))}
    return model, draft_model, list(prompts[:, None]), measured


def distilled(model, ids, sizes, seed):
    """Draw rows of a text and generate as many: int (2 N, T)."""
    N, prompt = sizes["distilled"], sizes["prompt"]
    rows = windows(ids, 2 * N, prompt + sizes["length"], seed)
    parts = np.array_split(rows[N:, :prompt], max(1, N // 64))
    answers = [
        generate(model, part, max_length=sizes["length"]).ids for part in parts
    ]
    rows[N:, prompt:] = np.concatenate(answers)
    return rows


def predictions(model, ids):
    """Return the most likely token after each of ids: int (N, T)."""
    parts = np.array_split(ids, max(1, len(ids) // 16))
    return np.concatenate([model.predict_on_batch(x).argmax(-1) for x in parts])


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
    *models, prompts, held_out = trained_models(sizes)
    results = [
        measure(*models, prompts, sizes["length"], K, args.rounds)
        for K in (QUICK_PROPOSED if args.quick else PROPOSED)
    ]
    report.publish(
        "speculative", args, results, row, sizes=sizes, held_out=held_out
    )


if __name__ == "__main__":
    main()
