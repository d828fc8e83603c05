# %% [markdown]
# # 05. Attention: look back at the source
#
# *What failed:* chapter 04 squeezed every source into one vector, and the
# longer the source, the worse the answer. *The idea* (Bahdanau, Cho & Bengio
# 2015; Luong, Pham & Manning 2015): keep what the encoder knew at every
# letter, and let the decoder look, at each step, at what it needs then.
#
#     "5. März 1950"   5  .  ␣  M  ä  r  z  ␣  1  9  5  0
#     to write "03"             ████████████                <- weights, sum 1
#
#     e_ts = score(h_t, m_s)      how well does letter s answer step t?
#     a_t  = softmax_s(e_t)       weights
#     c_t  = sum_s a_ts m_s       the context, a new one for each step
#
# Expected: nearly every date right, whatever its length, and the weights on
# the field that each digit stands in, though nobody has told them.
#
# `--data multi30k` translates German, `--data docstrings` summarises.
#
# Shapes: B batch, S source length, T target length, L written length.

# %%
import keras
import numpy as np

from keras_seq import (
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    Seq2Seq,
    data,
    export,
    generate,
    plots,
)
from keras_seq.text import CharTokenizer, SentencePieceTokenizer
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    attention_on_spans,
    bleu,
    exact_match,
    nearest_answer,
    rouge_l,
)

run = Run(
    "05_attention",
    data=("dates", "multi30k", "docstrings"),
    epochs={"dates": 2, "multi30k": 4, "docstrings": 8},
)
metrics, baselines = {}, {}

# %% [markdown]
# ## The task of chapter 04, and two real ones
#
# Dates go in letter by letter, sentences in pieces of words, learned from the
# training text. The plain baseline is the answer to the nearest training
# text; of a summary also its first sentence, the *lead*.

# %%
if run.data == "dates":
    count = 1000 if run.quick else 12_000
    texts, answers, _ = data.dates(count, seed=run.seed)
    test = data.dates(1500, seed=run.seed, split="test")
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

nearest = nearest_answer(texts, answers, texts_test)
baselines[name] = score(answers_test, nearest)
targets = write.tokenize(answers, start=True, end=True)
targets = [row[row > 0] for row in targets]
inputs = {
    "source": [row[row > 0] for row in read.tokenize(texts, end=True)],
    "target": [row[:-1] for row in targets],
}
labels = [row[1:] for row in targets]
buckets = (24, 64) if run.data == "dates" else None
batches = BatchByLength(inputs, labels, 64, buckets=buckets, seed=run.seed)
longest = max(map(len, labels))
source_test = read.tokenize(texts_test, end=True)

# %% [markdown]
# ## Four scores, and none
#
#     Bahdanau   v . tanh(h_{t-1} W + m_s U)     looks, then moves
#     dot        h_t . m_s                       moves, then looks
#     general    h_t . (m_s W)
#     concat     v . tanh([h_t ; m_s] W)
#
# All with the same width, the same batches and the same number of steps, and
# with them the model of chapter 04, which has no attention.

# %%
sizes = (read.vocab_size, write.vocab_size, units)
both = {"bidirectional": True}
MODELS = {
    "plain": lambda: Seq2Seq(*sizes, **both),
    "bahdanau": lambda: BahdanauSeq2Seq(*sizes),
    "luong_dot": lambda: LuongSeq2Seq(*sizes, score="dot"),
    "luong_general": lambda: LuongSeq2Seq(*sizes, score="general", **both),
    "luong_concat": lambda: LuongSeq2Seq(*sizes, score="concat", **both),
}
chosen = ["bahdanau"] if run.quick or run.data != "dates" else list(MODELS)
models, said, weights = {}, {}, {}
for kind in chosen:
    keras.utils.set_random_seed(run.seed)
    model = models[kind] = MODELS[kind]()
    model(batches[0][0])  # makes the weights
    print(f"\n{kind}: {model.count_params():,} parameters")
    steps = run.epochs * len(batches)
    falling = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(
        keras.optimizers.Adam(falling, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
        jit_compile=run.jit_compile,
    )
    callbacks = run.callbacks(kind)
    model.fit(batches, epochs=run.epochs, callbacks=callbacks, verbose=2)
    found = generate(model, source_test, max_length=longest)
    said[kind], weights[kind] = write.detokenize(found.ids), found.attention
    metrics[f"{name}_{kind}"] = score(answers_test, said[kind])
baselines |= {f"{name}_{kind}": baselines[name] for kind in chosen}

# %% [markdown]
# ## Where did it look?
#
# A date is written field by field, so we know which letters of the source
# each digit comes from: framed in the pictures. The share of the attention
# inside the frame, averaged over all digits of all test dates, is the
# measure. An even gaze would put into it the field's share of the letters.


# %%
def draw(kind, row, spans=None):
    source = read.tokens(source_test[row : row + 1])[0]
    source = source[: np.count_nonzero(source_test[row])]
    ids = write.tokenize([said[kind][row]], end=True)
    seen = weights[kind][row, : ids.shape[1], : len(source)]
    target = write.tokens(ids)[0][: len(seen)]
    figure = plots.alignment(seen, source, target, spans, title=kind)
    run.save(figure, f"alignment_{kind}_{row}")


rows = [0, 1, 2]
if run.data == "dates":  # a Korean date, and the longest of all
    korean = [i for i, text in enumerate(texts_test) if "년" in text]
    rows = [
        korean[0],
        max(range(len(texts_test)), key=lambda i: len(texts_test[i])),
    ]
for kind in [kind for kind in chosen if kind != "plain"]:
    for row in rows:
        draw(kind, row, spans[row] if run.data == "dates" else None)
    if run.data == "dates":
        written = weights[kind][:, :10]  # without the end mark
        share = attention_on_spans(written, spans)
        metrics[f"alignment_{kind}"] = share
        even = [
            (end - begin) / len(text)
            for text, (begin, end) in zip(texts_test, spans[:, 0])
        ]
        baselines[f"alignment_{kind}"] = np.mean(even)

# %% [markdown]
# ## The longer the source
#
# The test dates by the length of their text, in tenths. The plain model
# falls; the ones that look do not.

# %%
if run.data == "dates":
    lengths = np.array([len(text) for text in texts_test])
    order = np.argsort(lengths, kind="stable")
    right = {
        kind: (np.array(said[kind]) == answers_test)[order] for kind in chosen
    }
    third = {kind: np.array_split(r, 3)[2].mean() for kind, r in right.items()}
    metrics["exact_match_longest_third"] = third["bahdanau"]
    baselines["exact_match_longest_third"] = third["plain"]
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
# ## Ship it: a SavedModel that takes text and gives text
#
# Tokenizer, network, loop and detokenizer in one graph. A new process that
# knows neither Keras nor this library loads it and answers as Python does.

# %%
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
same = np.mean([a == b for a, b in zip(there, said["bahdanau"])])
metrics["exported_answers_the_same"] = same

# %%
run.finish(
    models["bahdanau"],
    metrics,
    baselines,
    expected={
        "exact_match_bahdanau": "0.99 or more",
        "alignment_bahdanau": "0.7 or more",
        "exported_answers_the_same": "1.0",
    },
)
