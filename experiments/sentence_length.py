# %% [markdown]
# # Does attention help most where the sentence is long?
#
# Without attention, one context vector must hold the whole source sentence: the
# longer the sentence, the more is lost (Cho et al. 2014b, figure 4; Bahdanau et
# al. 2015, figure 2). Two models with bidirectional encoders of GRUs of equal
# width, trained for equal epochs with equal recipes, translate the same texts:
# `Seq2Seq`, whose decoder reads the context vector at every step, and
# `BahdanauSeq2Seq`.
# Measured: BLEU of held-out texts in four groups by the number of source words,
# greedy; and whether the attention of a written subword is on its translation,
# the source subword that goes with it most often in the training pairs.
#
# Data: `dates`, lines of one to four dates, to write them in ISO 8601 (not
# measured); `--data multi30k`, captions of photographs, in lower case:
#
#     python -m experiments.sentence_length --data multi30k \
#         --dtype mixed_bfloat16
#
# Expected of the captions: one vector 22 BLEU, attention 34; the distance grows
# with the length, from 8 to 14.
# Minutes, on two processor cores: captions 36.
#
# Shapes: S source length, T target length.

# %%
import keras
import numpy as np
from scipy.sparse import csr_matrix

from keras_seq import data, plots
from keras_seq.evaluation import bleu, nearest_answer
from keras_seq.generation import generate
from keras_seq.models import BahdanauSeq2Seq, Seq2Seq
from keras_seq.text import SentencePieceTokenizer
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

run = Run("sentence_length", data=("dates", "multi30k"), epochs=5)
VOCABULARY, UNITS = (450, 16) if run.quick else (4000, 256)
BATCH, RATE = 64, 2e-3
metrics, baselines = {}, {}

# %% [markdown]
# ## Pairs of texts as subwords
#
# The plain baseline is the translation of the nearest training text.


# %%
def lines_of_dates(split):
    """Join one to four dates in a line: texts, and the dates in ISO 8601."""
    texts, answers = data.dates(5000, run.seed, split=split)[:2]
    counts = np.random.default_rng(run.seed).integers(1, 5, 2000)
    ends = np.cumsum(counts)
    places = [slice(end - n, end) for n, end in zip(counts, ends)]
    places = [place for place in places if place.stop <= len(texts)]
    return tuple(
        [", ".join(part[place]) for place in places]
        for part in (texts, answers)
    )


if run.data == "multi30k":
    splits = [data.multi30k(split) for split in ("train", "val", "test")]
    pairs = [[[t.lower() for t in texts] for texts in x] for x in splits]
else:
    (texts, answers), test = map(lines_of_dates, ("train", "test"))
    cut = len(texts) * 9 // 10
    train, validation = (
        [part[slice(*ends)] for part in (texts, answers)]
        for ends in ((cut,), (cut, None))
    )
    pairs = [train, validation, test]
if run.quick:
    pairs = [[texts[:200] for texts in pair] for pair in pairs]
train, validation, (asked, answers) = pairs
read = SentencePieceTokenizer.train(train[0], VOCABULARY)
write = SentencePieceTokenizer.train(
    train[1], VOCABULARY if run.data == "multi30k" else 300
)
nearest = bleu(answers, nearest_answer(*train, asked)).score
baselines |= {f"bleu_{name}": nearest for name in ("one_vector", "attention")}


def batches(texts, answers, **options):
    return BatchByLength(
        *teacher_forcing(
            read.tokenize(texts, end=True),
            write.tokenize(answers, start=True, end=True),
        ),
        BATCH,
        buckets=[128] if run.quick else [*range(8, 25, 2), 28, 32, 40, 64, 128],
        seed=run.seed,
        **options,
    )


# %% [markdown]
# ## Two models, one recipe
#
# Width, dropout, learning rate and epochs are those of both, the numbers of
# weights are not (`params_`); nothing was searched for either.

# %%
SIZES = read.vocabulary_size(), write.vocabulary_size(), UNITS
MODELS = {
    "one_vector": lambda: Seq2Seq(
        *SIZES, bidirectional=True, feed_context=True, dropout=0.3
    ),
    "attention": lambda: BahdanauSeq2Seq(*SIZES, dropout=0.3),
}


def trained(name):
    keras.utils.set_random_seed(run.seed)
    training = batches(*train)
    model = MODELS[name]()
    model(training[0][0])  # makes the weights
    model.supports_jit = False  # XLA compiles each length anew
    steps = run.epochs * len(training)
    model.compile(
        keras.optimizers.Adam(
            WarmupCosineDecay(RATE, steps, steps // 20), clipnorm=1.0
        ),
        TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
    )
    training.start_at(run.epochs_done(name))
    model.fit(
        training,
        validation_data=batches(*validation, shuffle=False),
        epochs=run.epochs,
        shuffle=False,  # the batches are, each epoch anew
        callbacks=run.callbacks(name),
        verbose=2,
    )
    return model


def translations(model):
    predictions, source = [], read.tokenize(asked, end=True)
    for start in range(0, len(source), 100):
        found = generate(model, source[start : start + 100], max_length=60)
        predictions += write.detokenize(found.ids)
    return predictions


# %% [markdown]
# ## BLEU by the length of the source
#
# Four groups of about equal size, the shortest sources first. BLEU of a group
# is that of its texts together.

# %%
words = np.array([len(text.split()) for text in asked])
edges = np.quantile(words, (0.25, 0.5, 0.75), method="nearest")
group = np.searchsorted(edges, words)  # 0 ... 3
mean_words = [words[group == n].mean() for n in range(4)]
metrics |= {f"words_quarter_{n + 1}": mean_words[n] for n in range(4)}
curves = {}
for name in MODELS:
    print(f"\n{name}")
    model = trained(name)
    predictions = translations(model)
    found = bleu(answers, predictions)
    print(found.signature)
    metrics[f"bleu_{name}"] = found.score
    metrics[f"params_{name}"] = model.count_params()
    metrics[f"seconds_{name}"] = run.seconds(name)
    curves[name] = []
    for n in range(4):
        rows = np.flatnonzero(group == n)
        score = bleu(
            [answers[k] for k in rows], [predictions[k] for k in rows]
        ).score
        curves[name].append(score)
        metrics[f"bleu_{name}_quarter_{n + 1}"] = score
print("texts in each group:", np.bincount(group), "up to words:", edges)

# %%
figure = plots.curves(
    {name.replace("_", " "): scores for name, scores in curves.items()},
    x=np.round(mean_words, 1),
    xlabel="words of the source, mean of each group",
    ylabel="BLEU, held out",
)
run.save(figure, "bleu_by_length")

# %% [markdown]
# ## What each subword was written from
#
# Nobody has marked which words belong together. But words that translate each
# other occur in the same pairs: of all source subwords of a text, the
# translation of a written one is that of the highest Dice coefficient,
# 2 n(s, t) / (n(s) + n(t)), n the number of training pairs. The plain baseline
# takes the source position at the same fraction of the length.


# %%
def occurs(tokenizer, texts):
    """Return a sparse matrix, 1 where a text (row) has a subword (column)."""
    rows = tokenizer.tokenize_rows(texts)
    at = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    ids, size = np.concatenate(rows), tokenizer.vocabulary_size()
    found = csr_matrix((np.ones(len(ids)), (at, ids)), (len(rows), size))
    return found.minimum(1)


in_source, in_target = occurs(read, train[0]), occurs(write, train[1])
counts = [part.sum(axis=0).A1 for part in (in_source, in_target)]
both = np.asarray((in_source.T @ in_target).todense())
dice = 2 * both / np.maximum(np.add.outer(*counts), 1)


def on_translation(model):
    """Return the shares of written subwords whose translation is found.

    At the source position of the largest weight, the end token left out; and
    at the position at the same fraction of the source.
    """
    right, read_ids = [], read.tokenize(asked, end=True)
    for start in range(0, len(asked), 100):
        part = read_ids[start : start + 100]
        found = generate(model, part, max_length=60)
        for source, written, weights in zip(part, found.ids, found.attention):
            source = source[source > read.end_id]
            written = written[written > write.end_id]
            T, S = len(written), len(source)
            true = source[dice[source][:, written].argmax(axis=0)]
            attended = source[weights[:T, :S].argmax(axis=1)]
            even = source[np.linspace(0, S - 1, T).round().astype(int)]
            right += [*zip(attended == true, even == true)]
    return np.mean(right, axis=0)


shares = on_translation(model)  # the model with attention was trained last
metrics["attention_on_translation"] = shares[0]
baselines["attention_on_translation"] = shares[1]

# %% [markdown]
# One held-out text of middle length:

# %%
row = int(np.argsort(words, kind="stable")[len(words) // 2])
source = read.tokenize(asked[row : row + 1], end=True)
found = generate(model, source, max_length=60)
written = [t for t in write.tokens(found.ids)[0] if t != "[PAD]"]
run.save(
    plots.alignment(
        found.attention[0, : len(written)], read.tokens(source)[0], written
    ),
    "alignment",
)
print(asked[row], " -> ", write.detokenize(found.ids)[0], "|", answers[row])

# %%
expected = {"bleu_one_vector": "below bleu_attention, most in long sentences"}
run.finish(model, metrics, baselines, expected)
