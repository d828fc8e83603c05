"""Tables of the kept benchmarks, for docs/speed.md: Markdown.

`benchmarks.results` writes them into the page.
"""

import json
import pathlib
import statistics

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "results" / "benchmarks"


def speeds():
    """Return the results of the benchmarks: Markdown tables for docs/."""
    peers = "Keras | KerasHub | PyTorch | `transformers`"
    lines = [
        *table(
            "| training step | time / Keras | time / PyTorch |",
            speed_rows("recurrent-tensorflow"),
        ),
        *table(
            f"| training step of 4 layers | {peers} | share of matmul |",
            block_rows("transformer-tensorflow"),
        ),
        *table(
            "| decoding | greedy | beam 4 / greedy | whole prefix / greedy |",
            decoding_rows("decoding-tensorflow"),
        ),
        *table(
            "| GPT, tokens per second | cached | without cache | KerasHub | "
            "`transformers` |",
            generation_rows("generation-tensorflow"),
        ),
        *table(
            "| speculative decoding of a GPT | greedy, tokens per second "
            "| speculative | speedup | accepted | equal on held-out text |",
            speculative_rows("speculative-tensorflow"),
        ),
        *table(
            "| pretraining step of BERT-mini | ours | KerasHub | "
            "`transformers` |",
            pretraining_rows("bert-tensorflow"),
        ),
        *table(
            "| BERT-mini on real texts | padding, one length | bucketed | "
            "time per text, bucketed | one length / bucketed |",
            padding_rows("bert-tensorflow"),
        ),
        *table(
            "| one text | backend | memory | memory of Keras or KerasHub | "
            "time / theirs |",
            [
                row
                for backend in ("JAX", "PyTorch")
                for row in memory_rows(backend)
            ],
        ),
        *table(
            "| layers on PyTorch, training step | time / Keras | time / "
            "PyTorch |",
            speed_rows("recurrent-torch"),
        ),
        *table(
            "| ViT | ours | KerasHub | `transformers` | share of matmul |",
            image_rows("vit-tensorflow"),
        ),
        *table(
            "| ViT, JAX on one NVIDIA H100 | ours | KerasHub | "
            "`transformers` | share of matmul |",
            image_rows("vit-jax-h100"),
        ),
        *table(
            "| fine-tuned BERT | weights trained | accuracy, mean of the seeds "
            "| standard deviation |",
            lora_rows("small_models-tensorflow"),
        ),
        *table(
            "| quantized | size / float32 | quality | time / float32 |",
            quantization_rows("small_models-tensorflow"),
        ),
        *table(
            "| training step of a GPT | time / float32 | memory |",
            training_rows("training-tensorflow"),
        ),
        *table(
            "| one epoch over short texts, GPT | time / padded |",
            batching_rows("training-tensorflow"),
        ),
        *pictures(),
    ]
    return "\n".join(lines[1:]) + "\n"


def pictures():
    """Return the lines that show the kept pictures of `scaling`."""
    lines = []
    for backend in ("tensorflow", "jax"):
        for axis in ("length", "batch", "width", "devices"):
            name = f"scaling-{backend}-{axis}.png"
            if (RESULTS / name).exists():
                text = f"Milliseconds of a training step by {axis}, {backend}"
                lines += ["", f"![{text}](../results/benchmarks/{name})"]
    return lines


def table(header, rows):
    """Return the lines of a table, or no lines if there are no results."""
    columns, rows = header.count("|") - 1, list(rows)
    return ["", header, "|---" * columns + "|", *rows] if rows else []


def kept(stem):
    """Return the file of a kept benchmark, without results if there is none."""
    path = RESULTS / f"{stem}.json"
    if not path.exists():
        return {"results": []}
    return json.loads(path.read_text("utf-8"))


def kept_rows(stem):
    """Return the results of a kept benchmark, or [] if there is no file."""
    return kept(stem)["results"]


def speed_rows(stem):
    """Yield a line per layer and shape of a kept benchmark of layers."""
    for row in kept_rows(stem):
        if row["mode"] == "training step":
            ratios = [f"{row['ratio'][k]:.2f}" for k in ("keras", "torch")]
            B, T, D, U = row["shape"]
            what = f"{row['layer']}, batch {B}, {T} steps, {D} -> {U} wide"
            yield f"| {what} | {ratios[0]} | {ratios[1]} |"


def block_rows(stem):
    """Yield a line per kind and precision: the training steps of blocks."""
    for row in kept_rows(stem):
        if row["mode"] != "training step":
            continue
        peers = ("keras", "keras_hub", "torch", "transformers")
        ratios = [row["ratio"].get(peer) for peer in peers]
        cells = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        what = f"{row['kind']}, {row['dtype']}"
        share = row["share"]["keras_seq"]
        yield f"| {what} | {' | '.join(cells)} | {share:.0%} |"


def decoding_rows(stem):
    """Yield a line per model and batch of the kept benchmark of decoding."""
    for row in kept_rows(stem):
        what = f"{row['model']}, batch {row['batch']}, {row['length']} tokens"
        speed = row["tokens_per_second"]["greedy"]
        ratios = row["beam_over_greedy"], row["prefix_over_greedy"]
        cells = " | ".join(f"{value:.1f}" for value in ratios)
        yield f"| {what} | {speed:,.0f} tokens/s | {cells} |"


def generation_rows(stem):
    """Yield a line per batch and length of the benchmark of generation."""
    for row in kept_rows(stem):
        what = f"batch {row['batch']}, {row['length']} tokens"
        speeds = row["tokens_per_second"]
        names = ("keras_seq", "uncached", "keras_hub", "transformers")
        cells = [f"{speeds[n]:,.0f}" if n in speeds else "" for n in names]
        yield f"| {what} | {' | '.join(cells)} |"


def speculative_rows(stem):
    """Yield a line per number of draft tokens."""
    for row in kept_rows(stem):
        speeds = row["tokens_per_second"]
        cells = [f"{speeds[n]:,.0f}" for n in ("greedy", "speculative")]
        cells += [f"{row['speedup']:.2f}", f"{row['accepted']:.0%}"]
        cells.append(f"{kept(stem)['held_out']['agreement']:.0%}")
        what = f"{row['num_draft_tokens']} draft tokens"
        yield f"| {what} | {' | '.join(cells)} |"


def pretraining_rows(stem):
    """Yield a line per objective and precision."""
    for row in kept_rows(stem):
        if "objective" in row:
            yield _timed(f"{row['objective']}, {row['dtype']}", row)


def image_rows(stem):
    """Yield a line per ViT, mode and precision."""
    for row in kept_rows(stem):
        line = _timed(f"{row['model']}, {row['mode']}, {row['dtype']}", row)
        share = row.get("share")
        yield f"{line} {'' if share is None else f'{share:.0%}'} |"


TEXTS = {
    "GPT": "GPT, 12 layers, 1,024 tokens",
    "BERT": "BERT, 12 layers, 1,024 tokens",
    "attention": "multi-head attention, 4,096 tokens",
}


def memory_rows(backend):
    """Yield a line per model of the kept benchmark of memory."""
    files = {"JAX": "jax", "PyTorch": "torch"}
    for row in kept_rows(f"memory-{files[backend]}"):
        cells = [f"{size / 2**20:,.0f} MiB" for size in row["bytes"].values()]
        cells += [f"{ratio:.2f}" for ratio in row["ratio"].values()]
        yield f"| {TEXTS[row['kind']]} | {backend} | {' | '.join(cells)} |"


def training_rows(stem):
    """Yield a line per setting of a training step."""
    for row in kept_rows(stem):
        if "float32" in row["ratio"]:
            size = row["bytes"]
            size = "" if size is None else f"{size / 2**20:,.0f} MiB"
            yield f"| {row['way']} | {row['ratio']['float32']:.2f} | {size} |"


def batching_rows(stem):
    """Yield a line per way to batch short texts."""
    for row in kept_rows(stem):
        if "padded" in row["ratio"]:
            yield f"| {row['way']} | {row['ratio']['padded']:.2f} |"


def lora_rows(stem):
    """Yield a line per way of fine-tuning."""
    for row in kept_rows(stem):
        if "trained_weights" in row:
            share = row["trained_weights"] / row["weights"]
            found = row["quality"]
            yield (
                f"| {row['way']} | {share:.1%} | {statistics.mean(found):.3f} "
                f"| {statistics.pstdev(found):.3f} |"
            )


def quantization_rows(stem):
    """Yield a line per model and precision of the weights."""
    kinds = {"BERT": "accuracy {:.3f}", "GPT": "{:.4f} nats per character"}
    for row in kept_rows(stem):
        if "size_ratio" in row:
            quality = kinds[row["model"]].format(row["quality"][0])
            yield (
                f"| {row['model']}, {row['way']} | {row['size_ratio']:.2f} | "
                f"{quality} | {row['ratio']['float32']:.2f} |"
            )


def _timed(what, row):
    """Return a line with our milliseconds and the ratios to two peers."""
    ms = 1000 * row["seconds"]["keras_seq"]["median"]
    ratios = [row["ratio"].get(peer) for peer in ("keras_hub", "transformers")]
    cells = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
    return f"| {what} | {ms:.0f} ms | {' | '.join(cells)} |"


def padding_rows(stem):
    """Yield a line per collection of texts: padding and its cost."""
    for row in kept_rows(stem):
        if "padding" in row:
            share = [row["padding"][w] for w in ("one length", "by length")]
            cells = " | ".join(f"{value:.0%}" for value in share)
            ms = 1000 * row["seconds_per_text"]["by length"]
            times = f"{row['times_by_length']:.1f} times"
            what = f"{row['rows']:,} of `{row['texts']}`"
            yield f"| {what} | {cells} | {ms:.1f} ms | {times} |"
