# %% [markdown]
# # Attention: four scores beside none
#
# The decoder reads the source again at every step (Bahdanau, Cho & Bengio 2015;
# Luong, Pham & Manning 2015): a context vector for each step instead of one.
#
#     e_ts = score(h_t, m_s)      score of letter s at step t
#     a_t  = softmax_s(e_t)       attention weights, sum 1
#     c_t  = sum_s a_ts m_s       context vector of step t
#
# Measured: exact matches of Bahdanau's attention, Luong's with three scores,
# and a model without attention, all of equal width and with the same batches
# and number of steps; the share of the attention weights on the letters that
# each digit comes from; exact matches by the length of the source; the exported
# model's answers beside those of Python. (The experiment `seq2seq` trains its
# models with twice as many dates for twice as many epochs: the model without
# attention is far worse here than there.)
#
# Data: `dates`; `--data multi30k`, German to English, and `--data docstrings`,
# a docstring's body to its first line (both not measured yet).
# Expected: Bahdanau at least 0.99 of the dates right, and 0.7 of the weights on
# the right letters; the export gives the same answers.
# Minutes, on two processor cores: 2.
#
# Shapes: B batch, S source length, T target length.

# %%
import keras
import numpy as np

from keras_seq import data, export, plots
from keras_seq.evaluation import (
    attention_on_spans,
    bleu,
    exact_match,
    nearest_answer,
    rouge_l,
)
from keras_seq.generation import generate
from keras_seq.models import BahdanauSeq2Seq, LuongSeq2Seq, Seq2Seq
from keras_seq.text import CharTokenizer, SentencePieceTokenizer
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

run = Run(
    "attention",
    data=("dates", "multi30k", "docstrings"),
    epochs={"dates": 2, "multi30k": 4, "docstrings": 8},
)
metrics, baselines = {}, {}

# %% [markdown]
# ## The task of the experiment `seq2seq`, and two real ones
#
# Dates are read letter by letter, sentences as subwords, learned from the
# training text. The plain baseline is the answer to the nearest training
# text; of a summary also its first sentence, the *lead*.

# %%
if run.data == "dates":
    count, unseen = (320, 100) if run.quick else (10_000, 1500)
    texts, answers, _ = data.dates(count, seed=run.seed)
    test = data.dates(unseen, seed=run.seed, split="test")
    (texts_test, answers_test, spans), units = test, 128
    read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
    name, score = "exact_match", exact_match
else:
    load = {"multi30k": data.multi30k, "docstrings": data.docstrings}[run.data]
    (texts, answers), (texts_test, answers_test) = load(), load("test")
    if run.quick:
        texts, answers = texts[:500], answers[:500]
    size, units = (600 if run.quick else 4000), 256
    read = SentencePieceTokenizer.train(texts, size)
    write = SentencePieceTokenizer.train(answers, size)
    name, score = "rouge_l", rouge_l
    if run.data == "multi30k":
        name, score = "bleu", lambda *texts: bleu(*texts).score
    else:
        lead = [text.split(". ")[0] for text in texts_test]
        baselines["rouge_l_lead"] = rouge_l(answers_test, lead)

nearest = score(answers_test, nearest_answer(texts, answers, texts_test))
pairs = teacher_forcing(
    read.tokenize(texts, end=True),
    write.tokenize(answers, start=True, end=True),
)
longest = max(map(len, pairs[1]))
source_test = read.tokenize(texts_test, end=True)

# %% [markdown]
# ## Four scores, and none
#
#     Bahdanau   v . tanh(h_{t-1} W + m_s U)     before the decoder's step
#     dot        h_t . m_s                       after it, as those below
#     general    h_t . (m_s W)
#     concat     v . tanh([h_t ; m_s] W)
#
# All have the same width, the same batches and the same number of steps, and
# so has the model without attention. All encoders are bidirectional except
# that of `dot`, whose vectors must be as wide as the decoder's state; so it has
# fewer weights, and its encoder does not read what comes later.

# %%
sizes = (read.vocabulary_size(), write.vocabulary_size(), units)
both = {"bidirectional": True}
MODELS = {
    "plain": lambda: Seq2Seq(*sizes, **both),
    "bahdanau": lambda: BahdanauSeq2Seq(*sizes),
    "luong_dot": lambda: LuongSeq2Seq(*sizes, score_mode="dot"),
    "luong_general": lambda: LuongSeq2Seq(*sizes, score_mode="general", **both),
    "luong_concat": lambda: LuongSeq2Seq(*sizes, score_mode="concat", **both),
}
chosen = list(MODELS) if run.data == "dates" else ["bahdanau"]
chosen = chosen[:2] if run.quick else chosen
models, ids, predictions, weights = {}, {}, {}, {}
for kind in chosen:
    keras.utils.set_random_seed(run.seed)
    buckets = (12, 16, 20, 24, 28, 32, 40, 64) if run.data == "dates" else None
    buckets = (64,) if run.quick and buckets else buckets
    batches = BatchByLength(*pairs, 64, buckets=buckets, seed=run.seed)
    model = models[kind] = MODELS[kind]()
    model(batches[0][0])  # makes the weights
    print(f"\n{kind}: {model.count_params():,} parameters")
    steps = run.epochs * len(batches)
    falling = WarmupCosineDecay(4e-3, steps)
    model.compile(
        keras.optimizers.Adam(falling, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
        jit_compile="auto",  # XLA would compile longer than we train
    )
    callbacks = run.callbacks(kind)
    batches.start_at(run.epochs_done(kind))
    model.fit(
        batches,
        epochs=run.epochs,
        shuffle=False,  # the batches are, each epoch anew
        callbacks=callbacks,
        verbose=2,
    )
    found = generate(model, source_test, max_length=longest)
    ids[kind], weights[kind] = found.ids, found.attention
    predictions[kind] = write.detokenize(found.ids)
    metrics[f"{name}_{kind}"] = score(answers_test, predictions[kind])
    baselines[f"{name}_{kind}"] = nearest

# %% [markdown]
# ## The attention weights, beside the right letters
#
# A date is written field by field, so we know which letters of the source
# each digit comes from: framed in the pictures. The share of the attention
# weights inside the frame, averaged over all digits of all test dates, is the
# measure. Even weights would put into it the field's share of the letters.


# %%
def draw(kind, row, spans=None):
    named = (read, source_test), (write, ids[kind])
    source, target = (
        tokenizer.tokens(x[row : row + 1, : np.count_nonzero(x[row])])[0]
        for tokenizer, x in named
    )
    seen = weights[kind][row, : len(target), : len(source)]
    if spans is not None:
        spans = np.pad(spans, ((0, 1), (0, 0)))[: len(target)]  # of no [END]
    figure = plots.alignment(seen, source, target, spans, title=kind)
    run.save(figure, f"alignment_{kind}_{row}")


rows = range(3)
if run.data == "dates":  # a Korean date, and the longest of all
    korean = [i for i, text in enumerate(texts_test) if "년" in text]
    rows = korean[0], int(np.argmax([len(text) for text in texts_test]))
    real = source_test > 0
    even = (real / real.sum(axis=-1, keepdims=True))[:, None].repeat(10, axis=1)
for kind in chosen:
    if weights[kind] is None:
        continue
    for row in rows:
        draw(kind, row, spans[row] if run.data == "dates" else None)
    if run.data == "dates":
        share = attention_on_spans(weights[kind][:, :10], spans)
        metrics[f"alignment_{kind}"] = share
        baselines[f"alignment_{kind}"] = attention_on_spans(even, spans)

# %% [markdown]
# ## Short texts and long ones
#
# The test dates by the length of their text, in tenths.

# %%
if run.data == "dates":
    lengths = np.array([len(text) for text in texts_test])
    order = np.argsort(lengths, kind="stable")
    right = {
        k: (np.array(predictions[k]) == answers_test)[order] for k in chosen
    }
    for place, third in ((0, "shortest"), (2, "longest")):
        shares = {
            k: np.array_split(r, 3)[place].mean() for k, r in right.items()
        }
        metrics[f"exact_match_{third}_third"] = shares["bahdanau"]
        baselines[f"exact_match_{third}_third"] = shares["plain"]
    figure = plots.curves(
        {
            kind: [tenth.mean() for tenth in np.array_split(r, 10)]
            for kind, r in right.items()
        },
        x=[t.mean().round() for t in np.array_split(lengths[order], 10)],
        xlabel="length of the source (letters)",
        ylabel="exact match, held out (share)",
    )
    run.save(figure, "by_length")

# %% [markdown]
# ## Export: a SavedModel with text in and text out
#
# Tokenizer, network, loop and detokenizer in one graph. A new process with
# neither Keras nor this library loads it and answers as Python does.

# %%
if keras.backend.backend() == "torch":
    print("No export: Keras writes no SavedModel from PyTorch.")
else:
    path = run.out / "saved_model"
    export.export_text_model(
        models["bahdanau"],
        path,
        source_tokenizer=read,
        target_tokenizer=write,
        source_end=True,
        max_length=longest,
        attention=True,
    )
    asked = texts_test[:64]
    there = export.run_alone(path, asked)
    print(*(f"{a}  ->  {b}" for a, b in zip(asked[:5], there)), sep="\n")
    same = exact_match(predictions["bahdanau"][:64], there)
    metrics["exported_answers_the_same"] = same

# %%
run.finish(
    models["bahdanau"],
    metrics,
    baselines,
    expected={"exported_answers_the_same": "1.0"}
    | {
        name: {"exact_match": "0.99 or more", "alignment": "0.7 or more"}[start]
        for name in metrics
        for start in ("exact_match", "alignment")
        if name == f"{start}_bahdanau"
    },
)
