"""Generation speed of our GPT and of other libraries, in turns.

    KERAS_BACKEND=tensorflow python -m benchmarks.generation --peers keras_hub

GPTs of one size with random weights continue a prompt of 8 tokens by greedy
decoding: ours with its key-value cache; ours without it, timed once and for up
to 200 tokens; KerasHub's `GPT2CausalLM`; and `transformers`' `GPT2LMHeadModel`
on PyTorch. None has an end token. Each runs once before it is timed, so
compilation does not count.

Shapes: B batch, L generated tokens.
"""

import keras
import numpy as np

from benchmarks import contenders, gpts, report
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.generation import WithoutCache, generate

SIZES = {"vocab": 8000, "units": 256, "heads": 4, "layers": 4}
QUICK_SIZES = {"vocab": 13, "units": 8, "heads": 2, "layers": 1}
LENGTHS, BATCHES, PROMPT = (32, 200, 500), (1, 16), 8
PATIENCE = 200  # tokens: without the cache, more take minutes
PEERS = ("keras_hub", "transformers")


def ours(sizes, prompt, length):
    """Return generators with the cache and, for short texts, without."""
    model = gpts.ours(sizes, PROMPT + length)
    generators = {"keras_seq": model}
    if length <= PATIENCE:
        generators["uncached"] = WithoutCache(model)
    return {
        name: lambda m=m: generate(m, prompt, max_length=length).ids
        for name, m in generators.items()
    }


def of_keras_hub(sizes, prompt, length):
    """Return a generator of KerasHub's GPT-2, from ids."""
    model = gpts.of_keras_hub(sizes, PROMPT + length)
    model.compile(sampler="greedy")
    room = ((0, 0), (0, length))
    inputs = {
        "token_ids": np.pad(prompt, room),
        "padding_mask": np.pad(np.ones_like(prompt), room),
    }

    def decode():
        output = model.generate(dict(inputs), stop_token_ids=None)
        return np.asarray(output["token_ids"])[:, PROMPT:]

    return {"keras_hub": decode}


def of_transformers(sizes, prompt, length):
    """Return a generator of `transformers`' GPT-2 on PyTorch."""
    import torch

    device = contenders.torch_device()
    model = gpts.of_transformers(sizes, PROMPT + length).to(device)
    ids = torch.as_tensor(prompt, dtype=torch.long, device=device)

    @torch.no_grad()
    def decode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            min_new_tokens=length,
            max_new_tokens=length,
            do_sample=False,
            pad_token_id=0,
        )
        return output.cpu().numpy()[:, PROMPT:]

    return {"transformers": decode}


MAKE = {"keras_hub": of_keras_hub, "transformers": of_transformers}


def measure(sizes, batch, length, peers=PEERS, rounds=5):
    """Time all generators in turns.

    Returns:
        dict: `batch, length, tokens_per_second{name: float}, ratio{name:
        float}`, our seconds over those of each.
    Raises:
        ValueError: if the numbers of tokens differ, or our tokens with and
            without the cache differ (except for near ties).
    """
    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    prompt = draw.integers(1, sizes["vocab"], (batch, PROMPT), "int32")
    calls = ours(sizes, prompt, length)
    for name in peers:
        calls |= MAKE[name](sizes, prompt, length)
    outputs = {name: call() for name, call in calls.items()}
    if any(ids.shape != (batch, length) for ids in outputs.values()):
        shapes = {name: ids.shape for name, ids in outputs.items()}
        raise ValueError(
            f"All must generate {length} tokens. Received {shapes}."
        )
    same = np.mean(
        outputs["keras_seq"] == outputs.get("uncached", outputs["keras_seq"])
    )
    if same < 0.9:
        raise ValueError(
            f"The cache must not change the tokens: {same:.3f} equal."
        )
    slow = {name: calls.pop(name) for name in ("uncached",) if name in calls}
    often = time_interleaved(calls, rounds, warmup=0)
    once = time_interleaved(
        {**slow, "keras_seq": calls["keras_seq"]}, 1, warmup=0
    )
    return {
        "batch": batch,
        "length": length,
        "same_tokens": float(same),
        "tokens_per_second": {
            name: round(batch * length / report.summary(s)["median"], 1)
            for name, s in {**once, **often}.items()
        },
        "ratio": {
            name: median_ratio(seconds["keras_seq"], s)
            for seconds in (once, often)
            for name, s in seconds.items()
            if name != "keras_seq"
        },
    }


def row(result):
    """Write a result as a line of the table."""
    cells = {"batch": result["batch"], "tokens": result["length"]}
    names = ("keras_seq", "uncached", *PEERS)
    for name in names:
        speed = result["tokens_per_second"].get(name)
        cells[f"{name} tok/s"] = "" if speed is None else f"{speed:.0f}"
    for name in names[1:]:
        value = result["ratio"].get(name)
        cells[f"ours/{name}"] = "" if value is None else f"{value:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 5, PEERS)
    sizes = QUICK_SIZES if args.quick else SIZES
    results = [
        measure(sizes, batch, length, args.peers, args.rounds)
        for length in ((5,) if args.quick else LENGTHS)
        for batch in BATCHES
    ]
    report.publish("generation", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
