"""Small models for serving: quantization and LoRA, and what they cost.

    KERAS_BACKEND=tensorflow python -m benchmarks.small_models \
        --bert runs/bert --gpt runs/gpt

The folders are those of the experiments: a pretrained BERT and, if it is to be
measured too, a trained GPT.

LoRA: the BERT is fine-tuned to tell from which package a docstring is, with
1,600 labels; all of its weights, or a low-rank change of them. The learning
rate of each way is the best of `RATES` on a part of the training texts; then
each way is trained from several seeds and measured on the test texts.

Quantization: the fine-tuned BERT, and the GPT, in float32, int8 and int4. Size
is that of the file of weights, without those of an optimizer; quality is the
accuracy of the BERT and the loss of the GPT, in nats per character, on the test
texts; the times are those of a forward pass of one batch, measured in turns.
"""

import pathlib
import tempfile

import keras
import numpy as np

from benchmarks import report
from keras_seq import data
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.models import BERT, BERTClassifier
from keras_seq.text import (
    CharTokenizer,
    MultiSegmentPacker,
    WordPieceTokenizer,
)
from keras_seq.training import TokenCrossEntropy, WarmupCosineDecay

LABELS, VALIDATION, BATCH, EPOCHS, LENGTH = 1600, 400, 16, 4, 64
QUICK_LABELS = 64
SEEDS, RATES = (0, 1, 2), (3e-4, 1e-3, 3e-3)
RANK = 2
ADAPTED = (
    "query",
    "key",
    "value",
    "attention_output",
    "intermediate_dense",
    "output_dense",
)
WAYS, MODES = ("all weights", "LoRA"), ("float32", "int8", "int4")


def docstrings(split):
    """Return texts, shuffled, and the number of the package of each."""
    label = {}
    for n, name in enumerate(data.DOCSTRING_PACKAGES):
        for text in data.docstrings(split, packages=(name,))[0]:
            label.setdefault(text, n)
    texts = data.docstrings(split)[0]
    np.random.default_rng(0).shuffle(texts)
    return texts, np.array([label[text] for text in texts])


class Task:
    """The docstrings as rows of tokens, and the BERT to start from."""

    def __init__(self, folder, labels):
        folder = pathlib.Path(folder)
        pretrained = keras.models.load_model(folder / "model.keras").bert
        tokenizer = WordPieceTokenizer.load(folder / "tokenizer.json")
        packer = MultiSegmentPacker(tokenizer, LENGTH, truncate="longest_first")

        def rows(texts, y):
            return packer(list(texts))["token_ids"], y

        texts, y = docstrings("train")
        self.train = rows(texts[:labels], y[:labels])
        held_out = slice(labels, labels + VALIDATION)
        self.validation = rows(texts[held_out], y[held_out])
        self.test = rows(*docstrings("test"))
        self.config = pretrained.get_config()
        self.weights = pretrained.get_weights()

    def fine_tune(self, way, rate, seed, epochs):
        """Return a trained classifier and the number of weights trained."""
        keras.utils.set_random_seed(seed)
        bert = BERT.from_config({**self.config, "dropout": 0.1})
        bert.build()
        bert.set_weights(self.weights)
        model = BERTClassifier(bert, len(data.DOCSTRING_PACKAGES))
        model.build()
        if way == "LoRA":
            bert.enable_lora(RANK, ADAPTED)
        x, y = self.train
        steps = epochs * -(-len(x) // BATCH)
        schedule = WarmupCosineDecay(rate, steps, steps // 10)
        model.compile(
            keras.optimizers.AdamW(schedule, clipnorm=1.0),
            TokenCrossEntropy(None),
            jit_compile="auto",
        )
        model.fit(x, y, BATCH, epochs, verbose=0)
        trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        return model, trained


def accuracy(model, rows):
    """Return the share of rows whose class is found."""
    x, y = rows
    logits = model.predict(x, batch_size=128, verbose=0)
    return float(np.mean(logits.argmax(axis=-1) == y))


def compare_ways(task, rates, seeds, epochs):
    """Fine-tune in both ways; return a result of each, and a classifier."""
    results, classifier = [], None
    for way in WAYS:
        tried = {
            rate: accuracy(
                task.fine_tune(way, rate, 99, epochs)[0], task.validation
            )
            for rate in rates
        }
        best = max(tried, key=tried.get)
        found = []
        for seed in seeds:
            model, trained = task.fine_tune(way, best, seed, epochs)
            found.append(accuracy(model, task.test))
        if way == "all weights":
            classifier = model
        results.append(
            {
                "model": "BERT",
                "way": way,
                "rate": best,
                "validation": tried,
                "trained_weights": trained,
                "weights": model.count_params(),
                "quality": found,
            }
        )
    return results, classifier


def compare_modes(name, model, x, quality, rounds):
    """Quantize copies of a model; return a result of each mode."""
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        model.save(path)
        for mode in MODES:
            models[mode] = keras.models.load_model(path, compile=False)
            if mode != "float32":
                models[mode].quantize(mode)
        sizes = {}
        for mode, each in models.items():
            file = pathlib.Path(folder, f"{mode}.weights.h5")
            each.save_weights(file)
            sizes[mode] = file.stat().st_size
    calls = {m: lambda m=m: models[m].predict_on_batch(x) for m in MODES}
    seconds = time_interleaved(calls, rounds, warmup=2)
    return [
        {
            "model": name,
            "way": mode,
            "bytes": sizes[mode],
            "size_ratio": sizes[mode] / sizes["float32"],
            "quality": [quality(models[mode])],
            "seconds": report.summary(seconds[mode]),
            "ratio": {
                "float32": median_ratio(seconds[mode], seconds["float32"])
            },
        }
        for mode in MODES
    ]


def language_model(folder, few):
    """Return a GPT, a batch, and a function of a model to its test loss."""
    folder = pathlib.Path(folder)
    model = keras.models.load_model(folder / "model.keras")
    tokenizer = CharTokenizer.load(folder / "tokenizer.json")
    text = "\n".join(data.docstrings("test")[0])
    ids = np.array(tokenizer([text])[0], "int32")
    length = model.max_sequence_length
    count = min((len(ids) - 1) // length, few)
    x = ids[: count * length].reshape(count, length)
    y = ids[1 : count * length + 1].reshape(count, length)

    def loss(model):
        total = [
            float(
                TokenCrossEntropy(None)(
                    y[i : i + 64], model.predict_on_batch(x[i : i + 64])
                )
            )
            * len(x[i : i + 64])
            for i in range(0, count, 64)
        ]
        return sum(total) / count

    return model, x[:32], loss


def row(result):
    """Write a result as a line of the table."""
    quality = result["quality"]
    cells = {
        "model": result["model"],
        "way": result["way"],
        "quality": f"{np.mean(quality):.4f}",
        "spread": f"{np.std(quality):.4f}" if len(quality) > 1 else "",
    }
    trained = result.get("trained_weights")
    share = "" if trained is None else f"{trained / result['weights']:.1%}"
    cells["trained"] = share
    size = result.get("size_ratio")
    cells["size"] = "" if size is None else f"{size:.2f}"
    time = result.get("ratio", {}).get("float32")
    cells["time"] = "" if time is None else f"{time:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(
        __doc__, 15, options={"bert": "runs/bert", "gpt": None}
    )
    few = args.quick
    task = Task(args.bert, QUICK_LABELS if few else LABELS)
    results, classifier = compare_ways(
        task, RATES[: 1 if few else 3], SEEDS[: 1 if few else 3], EPOCHS
    )
    x = task.test[0][:128]
    results += compare_modes(
        "BERT", classifier, x, lambda m: accuracy(m, task.test), args.rounds
    )
    if args.gpt:
        model, x, loss = language_model(args.gpt, 64 if few else 2000)
        results += compare_modes("GPT", model, x, loss, args.rounds)
    report.publish("small_models", args, results, row, rank=RANK)


if __name__ == "__main__":
    main()
