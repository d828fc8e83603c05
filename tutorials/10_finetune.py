# %% [markdown]
# # 10. Fine-tuning: one network that has read, and tasks with few labels
#
# *What failed:* labels are dear. A network that begins with random numbers
# must learn a language from a few hundred of them, and counting runs of
# letters does better. *The idea* (Devlin et al. 2019, section 4): begin with
# the BERT of chapter 09, put one matrix on top, and train all of it a little.
#
#     a text            [CLS] x x x [SEP]          ->  a class, of [CLS]
#     a text            [CLS] x x x [SEP]          ->  a tag for each token
#     question, text    [CLS] q q [SEP] x x [SEP]  ->  where the answer stands
#
# (Two texts have one class in the same way: it is how 09 learned what follows.)
#
# Run `09_bert` first, with the same `--data`; `--pretrained DIR` names its
# folder. With `--data nsmc`, film reviews are good or bad, told from 1,000,
# 5,000 and 40,000 labels, by the mean of the tokens: no one has asked that BERT
# for anything at [CLS].
#
# Expected: with few labels, it beats the same network from scratch by far. The
# more labels, the harder TF-IDF is to beat: of docstrings it wins from 400 on;
# of reviews it is level from 5,000 on.
#
# Shapes: B batch, T length, C classes.

# %%
import functools
import itertools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_seq import (
    BERT,
    GRU,
    BERTClassifier,
    BERTSpanQA,
    BERTTagger,
    TokenEmbedding,
    best_span,
    data,
    export,
    plots,
)
from keras_seq.text import (
    Masker,
    Packer,
    SentencePieceTokenizer,
    WordPieceTokenizer,
    span_to_tokens,
    tag_spans,
    tokens_to_text,
)
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    entity_f1,
    exact_match,
    tfidf_accuracy,
    token_f1,
    untuned,
    warmup_cosine,
    without_padding,
)

where = {"default": "runs/09_bert", "metavar": "DIR", "help": "of 09_bert"}
run = Run(
    "10_finetune", data=("pydocs", "nsmc"), arguments={"pretrained": where}
)
metrics, baselines = {}, {}
folder = Path(run.options["pretrained"])
if not (folder / "model.keras").exists():
    raise SystemExit(f"Run 09_bert --data {run.data} first: no {folder}.")
pieces = WordPieceTokenizer if run.data == "pydocs" else SentencePieceTokenizer
DROPOUT = 0.1 if run.data == "pydocs" else 0.0  # reviews never read the same
tokenizer = pieces.load(folder / "tokenizer.json")
pretrained = keras.models.load_model(folder / "model.keras").bert
packer = Packer(tokenizer, pretrained.max_length, trim="longest")


def bert(start):
    """Make a BERT of one size, with what was learned or from scratch."""
    config = {"dtype": run.dtype, "dropout": DROPOUT}
    new = BERT.from_config({**pretrained.get_config(), **config})
    new.build()
    if start == "pretrained":
        new.set_weights(pretrained.get_weights())
    return new


def fit(
    stage, model, x, y=None, *, steps=None, epochs, rate=3e-4, no_label=None
):
    """Train, the rate warmed up and then falling to zero.

    Args:
        x: batches without end, `steps` an epoch, or, with `y`, arrays to be
            cut into batches of 32.
        no_label: optional int, what in `y` is no question.
    """
    if not model.built:
        model.build()
    epochs = run.epochs * (1 if run.quick else epochs)  # of the usual number
    total = epochs * (steps or -(-len(keras.tree.flatten(x)[0]) // 32))
    loss, metric = TokenCrossEntropy(no_label), TokenAccuracy(no_label)
    both = isinstance(y, dict)  # ends of a span
    model.compile(
        keras.optimizers.AdamW(
            warmup_cosine(rate, total, total // 10), clipnorm=1.0
        ),
        dict.fromkeys(y, loss) if both else loss,
        metrics=None if both else [metric],
        jit_compile="auto",  # XLA would compile each length anew
    )
    print(f"\n{stage}: {model.count_params():,} parameters")
    model.fit(
        x,
        y,
        None if y is None else 32,
        epochs=epochs,
        steps_per_epoch=steps,
        callbacks=run.callbacks(stage),
        verbose=2,
        shuffle=y is not None,
    )


# %% [markdown]
# ## A class for a text
#
# Which package is a docstring from? Or: did this person like the film? The
# same labels for three networks, and for the plain baseline, TF-IDF of runs of
# one to four letters with a logistic regression. As in 09, each epoch reads the
# reviews in other pieces, cut more freely than there, or it would learn them by
# heart; and `Masker` hides or exchanges some, fewer than there, so that it
# learns to do without some words.


# %%
def reviews_or_docstrings(split):
    if run.data == "nsmc":
        return data.nsmc(split)
    label = {}
    for n, name in enumerate(NAMES):
        for text in data.docstrings(split, packages=(name,))[0]:
            label.setdefault(text, n)
    texts = data.docstrings(split)[0]  # cut as in 09, which read no test
    np.random.default_rng(0).shuffle(texts)
    return texts, np.array([label[text] for text in texts])


if run.data == "nsmc":
    NAMES, EPOCHS = ["bad", "good"], {1000: 8, 5000: 5, 40000: 4}
    POOLING, RATE = "mean", 2e-4
else:
    NAMES, EPOCHS = list(data.DOCSTRING_PACKAGES), {100: 30, 400: 12, 1600: 4}
    POOLING, RATE = "cls", 3e-4
RATES = {"pretrained": RATE, "scratch": 3e-4, "recurrent": 2e-3}
(texts, labels), (test_texts, test_labels) = map(
    reviews_or_docstrings, ("train", "test")
)
if run.quick:
    EPOCHS = {50: 1}
    test_texts, test_labels = test_texts[:100], test_labels[:100]
few = 100 if run.quick else 1000


def recurrent():
    units = pretrained.config["units"]
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            TokenEmbedding(tokenizer.vocab_size, units),
            keras.layers.Bidirectional(GRU(units)),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(len(NAMES)),
        ]
    )


stages = [f"{kind}_{n}" for n in EPOCHS for kind in RATES]
reader = tokenizer
if run.data == "nsmc":  # after a stop, other pieces than before it
    done = sum(map(run.epochs_done, stages))
    reader = tokenizer.drawing(0.3, seed=run.seed + done)
pack = Packer(reader, packer.length, trim="longest")
masker = Masker(tokenizer, seed=run.seed)
buckets = range(4, packer.length + 1, 4) if run.data == "nsmc" else None
by_length = functools.partial(BatchByLength, buckets=buckets)  # as in 09


def labelled(stage, n, batch):
    """Give batches of the first n texts without end, and their number."""

    def epoch(number):
        rows = pack(texts[:n])["ids"]
        if run.data == "nsmc":
            rows = masker(rows, step=number)["ids"]
        rows = without_padding(rows)
        return by_length(rows, labels[:n], batch, seed=run.seed + number)

    def endless():
        for number in itertools.count(run.epochs_done(stage)):
            yield from epoch(number)

    shapes = (None, None), (None,)
    signature = tuple(tf.TensorSpec(shape, "int32") for shape in shapes)
    batches = tf.data.Dataset.from_generator(
        endless, output_signature=signature
    )
    return untuned(batches.prefetch(4)), len(epoch(0))


unseen = without_padding(packer(test_texts)["ids"])
unseen = by_length(unseen, test_labels, 128, shuffle=False)
found = {kind: [] for kind in (*RATES, "TF-IDF")}
for n, epochs in EPOCHS.items():
    plain = tfidf_accuracy(texts[:n], labels[:n], test_texts, test_labels)
    found["TF-IDF"].append(plain)
    for kind, rate in RATES.items():
        model = (
            recurrent()
            if kind == "recurrent"
            else BERTClassifier(bert(kind), len(NAMES), pooling=POOLING)
        )
        stage = f"{kind}_{n}"
        batches, steps = labelled(stage, n, 16 if n < 5000 else 64)
        fit(stage, model, batches, steps=steps, epochs=epochs, rate=rate)
        scores = model.evaluate(unseen, verbose=0, return_dict=True)
        found[kind].append(scores["token_accuracy"])
        metrics[f"accuracy_{kind}_{n}"] = found[kind][-1]
        baselines[f"accuracy_{kind}_{n}"] = plain
        if kind == "pretrained":
            classifier = model
figure = plots.curves(
    found, ylabel="accuracy", xlabel="labelled texts", x=list(EPOCHS)
)
run.save(figure, "accuracy")

# %% [markdown]
# A network that has read each review in other pieces every time may read a new
# one so, too: half of what it says of the best cut, half of the mean of sixteen
# draws (the probabilities; by the network that was pretrained and had the most
# labels).

# %%
if run.data == "nsmc":
    draws = tokenizer.drawing(0.3, seed=run.seed + 1)
    draws = Packer(draws, packer.length, trim="longest")
    ways = 1 if run.quick else 16
    votes = np.zeros((len(test_texts), len(NAMES)))
    for cut, weight in [(packer, ways), *[(draws, 1)] * ways]:
        rows = without_padding(cut(test_texts)["ids"])
        rows = by_length(rows, np.arange(len(rows)), 128, shuffle=False)
        for x, numbers in rows:
            p = keras.ops.softmax(classifier.predict_on_batch(x))
            votes[numbers] += weight * keras.ops.convert_to_numpy(p)
    name = f"accuracy_pretrained_{n}"
    metrics[f"{name}_many_ways"] = np.mean(votes.argmax(1) == test_labels)
    baselines[f"{name}_many_ways"] = metrics[name]

# %% [markdown]
# ## A tag for each token
#
# Where in a sentence, English or Korean, are the year, the month and the day
# of a date that is written in one of ten languages? The plain baseline gives
# each token the tag that it mostly has.

# %%
TAGS, NONE = ["other", "year", "month", "day"], -100
DATES = Packer(tokenizer, 48, trim="longest")


def tagged(count, split):
    """Tag the tokens of each span; marks and padding are no question."""
    texts, spans = data.dated_sentences(count, run.seed, split)
    packed = DATES(texts, offsets=True)
    return texts, packed["ids"], tag_spans(packed, spans, ignore_id=NONE)


if run.data == "pydocs":
    _, x, y = tagged(200 if run.quick else 6000, "train")
    tagger = BERTTagger(bert("pretrained"), len(TAGS))
    fit("tagger", tagger, x, y, epochs=3, no_label=NONE)
    often = np.zeros((tokenizer.vocab_size, len(TAGS)))
    np.add.at(often, (x[y != NONE], y[y != NONE]), 1)
    sentences, x, y = tagged(few, "test")
    said = tagger.predict(x, 128, verbose=0).argmax(axis=-1)
    metrics["tagging_f1"] = entity_f1(y, said)
    baselines["tagging_f1"] = entity_f1(y, often.argmax(axis=1)[x])

# %% [markdown]
# ## The answer in a text
#
# Four facts about two functions, and a question; one in ten has no answer
# there. The plain baseline is the first fact of the kind that is asked for.


# %%
def facts(count, split):
    """Pack questions with texts; the labels are the two ends."""
    *texts, answers, spans = data.function_facts(count, run.seed, split)
    packed = packer(*texts, offsets=True)
    start, end = span_to_tokens(packed, *spans.T).T
    x = {name: packed[name] for name in ("ids", "segments")}
    return texts, answers, x, {"start": start, "end": end}


def answer(questions, texts):
    """Say what the model finds."""
    packed = packer(questions, texts, offsets=True)
    x = {name: packed[name] for name in ("ids", "segments")}
    ends = answerer.predict(x, 128, verbose=0)
    spans = best_span(ends["start"], ends["end"])
    return tokens_to_text(packed, texts, spans)


if run.data == "pydocs":
    *_, x, y = facts(200 if run.quick else 8000, "train")
    answerer = BERTSpanQA(bert("pretrained"))
    fit("span_qa", answerer, x, y, epochs=3, rate=1e-3)
    asked, answers, *_ = facts(few, "test")
    said = answer(*asked)
    metrics["span_exact_match"] = exact_match(answers, said)
    metrics["span_f1"] = token_f1(answers, said)
    first = data.first_facts(*asked)
    baselines["span_exact_match"] = exact_match(answers, first)
    baselines["span_f1"] = token_f1(answers, first)
    for question, text, found in list(zip(*asked, said))[:3]:
        print(f"{text}\n    {question}  ->  {found or '(no answer)'}")

# %% [markdown]
# ## Ship them: text in; label, tags, answer out
#
# Each in a process that knows nothing of this library, on what was held out,
# on nothing at all, in Korean, and on a text that is far too long.

# %%
ODD = ["", "회의는 2031년 8월 26일에 열립니다. 🙂", "returns a list " * 60]
same = {}
if keras.backend.backend() == "torch":
    print("No export: Keras writes no SavedModel from PyTorch.")
else:
    path, asked_for = run.out / "classifier", [*test_texts[:50], *ODD]
    export.export_bert_classifier(classifier, path, packer=packer, labels=NAMES)
    there = export.run_alone(path, asked_for, output="label")
    logits = keras.ops.convert_to_numpy(classifier(packer(asked_for)))
    same["classifier"] = exact_match(
        [NAMES[n] for n in logits.argmax(1)], there
    )
if same and run.data == "pydocs":
    path, asked_for = run.out / "tagger", [*sentences[:50], *ODD]
    export.export_bert_tagger(tagger, path, packer=DATES, labels=TAGS)
    there = export.run_alone(path, asked_for, output="tags")
    rows = DATES(asked_for, offsets=True)
    real = rows["offsets"][..., 1] > 0
    logits = keras.ops.convert_to_numpy(tagger(rows["ids"]))
    here = np.where(real, np.array(TAGS)[logits.argmax(-1)], "").tolist()
    same["tagger"] = np.mean([a == b for a, b in zip(here, there)])
    path = run.out / "span_qa"
    export.export_bert_span_qa(answerer, path, packer=packer)
    columns = {
        "question": asked[0][: 50 + len(ODD)],
        "text": [*asked[1][:50], *ODD],
    }
    there = export.run_alone(path, columns, output="answer")
    same["span_qa"] = exact_match(answer(*columns.values()), there)
for task, share in same.items():
    metrics[f"exported_{task}_the_same"] = share
if same:
    metrics["exported_answers_the_same"] = min(same.values())

# %%
expected = {name: "1.0" for name in metrics if name.startswith("exported")}
if run.data == "nsmc" and not run.quick:
    expected["accuracy_pretrained_1000"] = "0.03 above scratch"
    expected["accuracy_pretrained_40000"] = "above 0.856"
run.finish(classifier, metrics, baselines, expected)
