"""Our GPT speaking beside its peers': tokens per second, one run, in turns.

    KERAS_BACKEND=tensorflow python -m benchmarks.generation --peers keras_hub

GPTs of one size and of random weights go on greedily from a prompt of 8 tokens:
ours with its cache; ours reading everything again at each step, timed once and
for up to 200 tokens; KerasHub's `GPT2CausalLM`; and `transformers`'
`GPT2LMHeadModel` on PyTorch. Nobody stops at an end. Compiling is not timed:
each speaks once before.

Shapes: B batch, L tokens said.
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
    """Make a speaker with the cache, and where it can be waited for without."""
    model = gpts.ours(sizes, PROMPT + length)
    speakers = {"keras_seq": model}
    if length <= PATIENCE:
        speakers["uncached"] = WithoutCache(model)
    return {
        name: lambda m=m: generate(m, prompt, max_length=length).ids
        for name, m in speakers.items()
    }


def of_keras_hub(sizes, prompt, length):
    """Make KerasHub's GPT-2 speak, from ids."""
    model = gpts.of_keras_hub(sizes, PROMPT + length)
    model.compile(sampler="greedy")
    room = ((0, 0), (0, length))
    inputs = {
        "token_ids": np.pad(prompt, room),
        "padding_mask": np.pad(np.ones_like(prompt), room),
    }

    def speak():
        said = model.generate(dict(inputs), stop_token_ids=None)
        return np.asarray(said["token_ids"])[:, PROMPT:]

    return {"keras_hub": speak}


def of_transformers(sizes, prompt, length):
    """Make `transformers`' GPT-2 speak, on PyTorch."""
    import torch

    device = contenders.torch_device()
    model = gpts.of_transformers(sizes, PROMPT + length).to(device)
    ids = torch.as_tensor(prompt, dtype=torch.long, device=device)

    @torch.no_grad()
    def speak():
        said = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            min_new_tokens=length,
            max_new_tokens=length,
            do_sample=False,
            pad_token_id=0,
        )
        return said.cpu().numpy()[:, PROMPT:]

    return {"transformers": speak}


MAKE = {"keras_hub": of_keras_hub, "transformers": of_transformers}


def measure(sizes, batch, length, peers=PEERS, rounds=5):
    """Time all speakers in turns.

    Returns:
        dict: `batch, length, tokens_per_second{name: float}, ratio{name:
        float}`, our seconds over those of each.
    Raises:
        ValueError: if one says another number of tokens, or ours says other
            tokens without its cache (but for near ties).
    """
    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    prompt = draw.integers(1, sizes["vocab"], (batch, PROMPT), "int32")
    calls = ours(sizes, prompt, length)
    for name in peers:
        calls |= MAKE[name](sizes, prompt, length)
    said = {name: call() for name, call in calls.items()}
    if any(ids.shape != (batch, length) for ids in said.values()):
        shapes = {name: ids.shape for name, ids in said.items()}
        raise ValueError(f"All must say {length} tokens. Received {shapes}.")
    same = np.mean(said["keras_seq"] == said.get("uncached", said["keras_seq"]))
    if same < 0.9:
        raise ValueError(f"The cache must change nothing: {same:.3f} alike.")
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
    """Measure what the command line asks for; print it and write it down."""
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
