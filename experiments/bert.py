# %% [markdown]
# # BERT: pretraining without labels
#
# An encoder that reads both sides of a token (Devlin et al. 2019) is trained
# with masked language modeling (MLM) and next sentence prediction (NSP):
#
#     [CLS] return the [MASK] of the list [SEP] it is [MASK] if ... [SEP]
#       |                |                              |
#      NSP             length                         zero
#
# Measured on held-out texts: the accuracy of both, beside the most frequent
# word, and beside counting shared words; how much the best head attends to the
# same word elsewhere; NSP without segment ids. The model is the start of the
# experiment `finetune`.
#
# Data: `pydocs`, Python's documentation and docstrings; `--data wikitext-2`
# (not measured yet); `--data nsmc`, 40,000 Korean film reviews without their
# labels, a wider model, MLM alone as in RoBERTa (Liu et al. 2019), one token in
# four masked, and other subwords in each epoch (Kudo 2018).
# Expected: one masked word in five right, four times as many as with the most
# frequent word; NSP above 0.65 (counting shared words is better: 0.82).
# Minutes, on two processor cores: 4; `nsmc` 28 (less with `--dtype
# mixed_bfloat16` where the processor has it).
#
# Shapes: B batch, T length, M masked positions, H heads.

# %%
import itertools

import keras
import numpy as np
import tensorflow as tf

from keras_seq import data, plots
from keras_seq.evaluation import shared_words_accuracy
from keras_seq.models import BERT, BERTPretrainer
from keras_seq.text import (
    MaskedLMMaskGenerator,
    MultiSegmentPacker,
    SentencePieceTokenizer,
    WordPieceTokenizer,
    fill_texts,
    sentence_pairs,
)
from keras_seq.training import (
    BatchByLength,
    NatsPerToken,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    without_autotune,
    without_padding,
)

EPOCHS = {"pydocs": 5, "wikitext-2": 10, "nsmc": 20}
run = Run("bert", data=tuple(EPOCHS), epochs=EPOCHS)
metrics, baselines = {}, {}
PAIRS = run.data != "nsmc"
PACKAGES = ("matplotlib", "numpy") if run.quick else data.DOCSTRING_PACKAGES
if PAIRS:
    LENGTH, BATCH, RATE, VOCABULARY, HIDDEN = 64, 64, 2e-3, 4000, 0.15
    BUCKETS, SHOWN = None, 4  # of the held-out texts, one in so many
    SIZE = {"hidden_dim": 128, "num_heads": 4, "num_layers": 3}
else:
    LENGTH, BATCH, RATE, VOCABULARY, HIDDEN = 96, 96, 7e-4, 8000, 0.25
    BUCKETS, SHOWN = range(4, LENGTH + 1, 4), 16
    SIZE = {"hidden_dim": 256, "num_heads": 4, "num_layers": 3}

# %% [markdown]
# ## Documents
#
# A document is a list of sentences: a page of Python's documentation, or a
# docstring of the installed packages. Docstrings copy sentences from each
# other: a document that shares a sentence with the training documents is not
# used for testing.


# %%
def documents(split):
    if run.data == "nsmc":
        return [[text] for text in data.nsmc(split)[0]]
    if run.data == "wikitext-2":
        found = [text.split("\n") for text in data.wikitext2(split)]
    else:
        found = map(data.paragraphs, data.pydocs(split).values())
        bodies, summaries = data.docstrings(split, 4000, packages=PACKAGES)
        found = [*found, *zip(summaries, bodies)]
    return [
        [s for paragraph in paragraphs for s in data.split_sentences(paragraph)]
        for paragraphs in found
    ]


train, test = map(documents, ("train", "test"))
seen = {sentence for document in train for sentence in document}
test = [document for document in test if not seen.intersection(document)]
if run.quick:
    train, test, SIZE["num_layers"] = train[-400:], test[-200:], 1
    VOCABULARY //= 4
done = run.epochs_done("pretraining")  # before it was stopped
if PAIRS:  # a quarter of the documents has the words of nearly all
    some = [sentence for document in train[::4] for sentence in document]
    some += data.dated_sentences(2000)[0]  # for `finetune`
    tokenizer = reader = WordPieceTokenizer.train(some, VOCABULARY)
    room = LENGTH // 2 - 4
    train, test = (fill_texts(x, tokenizer, room) for x in (train, test))
else:
    tokenizer = SentencePieceTokenizer.train(
        [text for (text,) in train], VOCABULARY
    )
    # A word reads as other pieces each time (`SentencePieceTokenizer`).
    reader = tokenizer.sampling(0.5, seed=run.seed + done)

# %% [markdown]
# ## Inputs and labels
#
# In each epoch other texts are put together, and other words masked.

# %%
packer, pack = (
    MultiSegmentPacker(each, LENGTH, truncate="longest_first")
    for each in (tokenizer, reader)
)
masker = MaskedLMMaskGenerator(tokenizer, HIDDEN, seed=run.seed + done)
seeds = itertools.count(run.seed + done)


def examples(documents, seed):
    """Give the texts to be packed, and whether they belong together."""
    if PAIRS:
        *texts, apart = sentence_pairs(documents, seed)
        return texts, apart
    return [[text for (text,) in documents]], np.zeros(len(documents), "int32")


def batches():
    """Put rows of like length together, without their padding."""
    seed = next(seeds)
    texts, apart = examples(train, seed)
    rows = without_padding(pack(*texts))
    for x, y in BatchByLength(rows, apart, BATCH, buckets=BUCKETS, seed=seed):
        yield {**x, "next_sentence": y}


def asked(masked):
    """Divide what the masker gives into questions and answers."""
    labels, apart = masked.pop("labels"), masked.pop("next_sentence")
    answers = {"masked_lm": labels, "next_sentence": apart}
    return masked, answers if PAIRS else {"masked_lm": labels}


shapes = {
    "token_ids": (None, None),
    "segment_ids": (None, None),
    "next_sentence": (None,),
}
signature = {k: tf.TensorSpec(shape, "int32") for k, shape in shapes.items()}
training = tf.data.Dataset.from_generator(batches, output_signature=signature)
training = masker.each_epoch(training.repeat()).map(asked)
training = without_autotune(training.prefetch(4))
texts, apart = examples(test, run.seed)
whole = packer(*texts)
hiding = MaskedLMMaskGenerator(
    tokenizer, HIDDEN, seed=run.seed
)  # alike after a stop
held_out = asked({**hiding(whole, step=0), "next_sentence": apart})
questions, answers = held_out

# %% [markdown]
# ## The plain baselines
#
# For masked words, always the most frequent one. For next sentence prediction,
# a coin; and a model without order or meaning: texts with words in common
# belong together.

# %%
known, known_apart = examples(train, run.seed)
counts = np.bincount(packer(*known)["token_ids"].ravel())
special = [tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id]
counts[special] = 0
hidden = answers["masked_lm"][answers["masked_lm"] != tokenizer.pad_id]
unigram = np.mean(hidden == counts.argmax())
baselines["mlm_accuracy"] = baselines["mlm_accuracy_unigram"] = unigram
if PAIRS:
    baselines["nsp_accuracy_coin"] = 0.5
    baselines["nsp_accuracy"] = shared_words_accuracy(
        known, known_apart, texts, apart
    )

# %% [markdown]
# ## Pretrain
#
# Two heads, two losses, one `fit`. The loss of the words counts the masked
# positions alone: label 0 is ignored. There is no dropout: the inputs change
# from epoch to epoch, and cannot be memorized.

# %%
bert = BERT(
    tokenizer.vocabulary_size(), **SIZE, max_sequence_length=LENGTH, dropout=0.0
)
model = BERTPretrainer(bert, next_sentence=PAIRS)
model({name: x[:2] for name, x in questions.items()})  # makes the weights
print(f"{model.count_params():,} parameters")
if not run.jit_compile:
    model.supports_jit = False
shown = {name: x[-4:].copy() for name, x in whole.items()}
hide = ~np.isin(shown["token_ids"], special) & (np.arange(LENGTH) % 6 == 3)
true = shown["token_ids"][hide]
shown["token_ids"][hide] = tokenizer.mask_id
before, _ = model.fill_mask(shown, tokenizer.mask_id, top=3)

steps = -(-len(known_apart) // BATCH)  # in an epoch
total = run.epochs * steps
pads = {
    "masked_lm": tokenizer.pad_id,
    "next_sentence": None,
}  # which label is no question
pads = {name: pads[name] for name in answers}
model.compile(
    keras.optimizers.AdamW(
        WarmupCosineDecay(RATE, total, total // 10), beta_2=0.98, clipnorm=1.0
    ),
    {name: TokenCrossEntropy(pad) for name, pad in pads.items()},
    metrics={
        name: [NatsPerToken(pad), TokenAccuracy(pad)]
        for name, pad in pads.items()
    },
    jit_compile="auto",  # XLA would compile each length anew
)
sample = [
    {name: x[::SHOWN] for name, x in part.items()}
    for part in (questions, answers)
]
model.fit(
    training,
    validation_data=sample,
    epochs=run.epochs,
    steps_per_epoch=steps,
    callbacks=run.callbacks("pretraining"),
    verbose=2,
    shuffle=False,  # the batches are drawn already
)
scores = model.evaluate(*held_out, 128, verbose=0, return_dict=True)
masked = "masked_lm_" if PAIRS else ""  # Keras adds no name to one output alone
metrics["mlm_accuracy"] = scores[f"{masked}token_accuracy"]
metrics["mlm_loss"] = scores[f"{masked}nats_per_token"]
if PAIRS:
    metrics["nsp_accuracy"] = scores["next_sentence_token_accuracy"]

# %%
history = run.history("pretraining")
for name, output, plain in (
    ("mlm", masked, {"commonest word": unigram}),
    (
        "nsp",
        "next_sentence_",
        {"coin": 0.5, "shared words": baselines.get("nsp_accuracy")},
    ),
)[: len(answers)]:
    metric = f"{output}token_accuracy"
    kinds = {"train": history[metric], "held out": history[f"val_{metric}"]}
    figure = plots.curves(
        {name.upper(): kinds}, ylabel="accuracy", baselines=plain
    )
    run.save(figure, f"{name}_accuracy")

# %% [markdown]
# ## What [MASK] is filled with
#
# Held-out texts: the true word, and the model's three most probable ones before
# and after training.

# %%
after, _ = model.fill_mask(shown, tokenizer.mask_id, top=3)
guesses = iter(zip(true, before, after))
for ids in shown["token_ids"]:
    print(" ".join(tokenizer.tokens(ids[ids != tokenizer.pad_id])))
    for _ in range((ids == tokenizer.mask_id).sum()):
        right, *pairs = next(guesses)
        was, now = (", ".join(tokenizer.tokens(few)) for few in pairs)
        print(f"    {tokenizer.tokens(right[None])[0]}: {was}  ->  {now}")

# %% [markdown]
# ## What the heads attend to
#
# A row of pictures for each layer. The number: of the words that occur more
# than once in a row, how much of a head's attention goes to the same word
# elsewhere? One half of the rows chooses the best head, the other half measures
# it. The baseline is a head with even weights.

# %%
rows = {name: whole[name][:200] for name in ("token_ids", "segment_ids")}
_, weights = bert(rows, return_attention_scores=True)
weights = [keras.ops.cast(w, "float32") for w in weights]
weights = [keras.ops.convert_to_numpy(w) for w in weights]
ids = rows["token_ids"]
same = (ids[:, :, None] == ids[:, None, :]) & ~np.eye(ids.shape[1], dtype=bool)
same &= ~np.isin(ids, special)[:, :, None]
twice = same.any(axis=2)  # (B, T)
real = (ids != tokenizer.pad_id).sum(axis=1)[:, None]
half = len(ids) // 2
on_same = [  # of each head, float (B, T)
    shares
    for w in weights
    for shares in np.moveaxis((w * same[:, None]).sum(axis=3), 1, 0)
]
most = max(on_same, key=lambda shares: shares[:half][twice[:half]].mean())
for scores, shares in (
    (metrics, most),
    (baselines, same.sum(axis=2) / real),
):
    scores["attention_on_same_word"] = shares[half:][twice[half:]].mean()
size = real[:, 0]
row = np.argsort(size)[len(size) // 25]  # a short one, to be read
pieces = tokenizer.tokens(ids[row][: size[row]])
seen = [w[row][:, : size[row], : size[row]] for w in weights]
run.save(plots.attention_heads(seen, pieces, pieces), "heads")

# %% [markdown]
# ## NSP without segment ids
#
# The same pairs, with the segment id of the first text everywhere.

# %%
if PAIRS:
    blind = {
        **questions,
        "segment_ids": np.zeros_like(questions["segment_ids"]),
    }
    scores = model.evaluate(blind, answers, 128, verbose=0, return_dict=True)
    metrics["nsp_accuracy_without_segments"] = scores[
        "next_sentence_token_accuracy"
    ]

# %%
tokenizer.save(run.out / "tokenizer.json")
expected = {"mlm_accuracy": "twice the baseline"}
if PAIRS:
    expected["nsp_accuracy"] = "above 0.65"
run.finish(model, metrics, baselines, expected)
