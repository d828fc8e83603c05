# %% [markdown]
# # 09. A chatbot: an answer is a continuation
#
# The model of the last lesson continues any text. A chatbot continues in a
# particular way: after the [prompt](glossary.md#prompt), what somebody says, it
# writes what another person could answer. In this lesson three models of the
# earlier lessons learn that from a few hundred pairs of Korean small talk: an
# encoder-decoder with attention, a Transformer, and a GPT that reads prompt and
# answer as one text. Beside them stands a chatbot that learns nothing: it looks
# up the most similar known prompt and gives its answer. You compute the score
# of an answer by hand, see what each part of the training does to the answers,
# and find out when looking up is enough. You need lessons `04_seq2seq` to
# `08_gpt`, but no Korean: every example is explained. Running everything takes
# about four minutes on two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect
import logging
import re
import time
from collections import Counter

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.feature_extraction.text import TfidfVectorizer

# %%
from keras_seq import data, plots
from keras_seq.evaluation import chrf, exact_match, nearest_answer
from keras_seq.generation import Greedy, Sampling, generate
from keras_seq.models import GPT, BahdanauSeq2Seq, Transformer
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    Lesson,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    reset_weights,
    teacher_forcing,
)

np.set_printoptions(precision=3, suppress=True)
logging.getLogger("tensorflow").setLevel("ERROR")  # no hints about speed
lesson = Lesson("09_chatbot", following="10_bert")

# %% tags=["parameters"]
EPOCHS = (20, 40, 60)  # attention, Transformer, GPT
TRAINING = 384
SMALLER = (96, 192)
UNITS = (128, 64, 64)
LAYERS = 2
SEED = 0

# %% [markdown]
# ## Question
#
# "내일 시간 돼?" means "Are you free tomorrow?". The data contain other ways to
# ask this, all with the answer "네, 내일 시간 있어요! 뭐 하고 싶어요?" ("Yes, I
# am free tomorrow! What would you like to do?"). **Does a model trained on
# pairs like these answer new prompts better than a search for the most similar
# known prompt? And when does it give every prompt the same answer?**
#
# The measure is [chrF](glossary.md#chrf), from 0 to 100: how much of its
# characters, and of their runs, an answer shares with the one written in the
# data. You will compute it by hand. Looking up gets about 63 on one set of
# held-out prompts and 80 on another. The best of the models, the Transformer,
# gets about **67 and 80**: slightly ahead on the first, level on the second.
# The model with attention is close behind, GPT farther. The same answer to
# every prompt gets less than 6.

# %% [markdown]
# ## What failed
#
# The GPT of lesson 08 learned from 250,000 characters of documentation. How
# many sentences in them end with a question mark?

# %%
text = data.pydocs_text("train")[:250_000]
questions = re.findall(r"\w\?\s", text)
sentences = re.findall(r"\w\.\s", text)
print(f"full stops: {len(sentences):,}, question marks: {len(questions)}")

# %% [markdown]
# More than 1,500 full stops and not one question mark. A model trained on this
# text has never seen a question, let alone an answer. What has to change is
# less the model than the text: from now on, each piece of text is a prompt *and
# its answer*, and only the answer is to be predicted.

# %% [markdown]
# ## Diagram
#
# ![The encoder reads the source into its final state, the context vector of
# fixed width; the decoder starts from it and predicts the target, one token at
# a time.](../docs/diagrams/encoder_decoder.en.svg)
#
# For an encoder-decoder an answer is a translation: the prompt is the source,
# the answer is the target (Vinyals and Le, 2015). Three things in this diagram
# will matter. The [start token](glossary.md#start-token) `<sos>`, in the
# library `[START]`, is the input from which the first character is predicted.
# The [end token](glossary.md#end-token) `<eos>`, in the library `[END]`, is the
# last label; predicting it is how a model stops. And the lower arrows differ:
# in training the decoder reads the true character, called [teacher
# forcing](glossary.md#teacher-forcing), and in use it reads its own.
#
# ![Left, a padding mask. Middle, a causal mask: a triangle, each query keeps
# itself and what comes before. Right, equal weights under both
# masks.](../docs/diagrams/masks.en.svg)
#
# GPT has no encoder. It gets one text, and its causal mask (middle) lets every
# character of the answer attend to the whole prompt (`[ ]` is a space):
#
#     encoder-decoder   source   내 일 [ ] 바 빠 ? [END]
#                       target   [START] 네 , ... ? [END]
#     GPT               text     내 일 [ ] 바 빠 ? [START] 네 ... ? [END] [PAD]
#
# In both, rows of a batch have different lengths and are filled up with
# [padding](glossary.md#padding), which neither attention nor loss may count
# (left).

# %% [markdown]
# ## A worked example
#
# ### The score of an answer
#
# Somebody says good night, and the answer should be "잘 자요!" ("Sleep
# well!"). One chatbot answers "잘 가요!" ("Go well!", said to someone who
# leaves), the other one "잘 자!" ("Sleep well!", to a close friend). Neither is
# equal to the wanted answer. How close are they?
#
# chrF (Popović, 2015) compares *runs*, that is n characters in a row, for n = 1
# to 6, without the spaces. The *precision* is the share of the answer's runs
# that are in the wanted one, the *recall* the share of the wanted one's runs
# that are in the answer. Here is "잘가요!" against "잘자요!": the single
# characters 잘, 요 and ! are in both, and of the pairs only 요!.
#
# | n | runs of the answer | runs wanted | in both | precision | recall |
# |---|---|---|---|---|---|
# | 1 | 4 | 4 | 3 | 3/4 | 3/4 |
# | 2 | 3 | 3 | 1 | 1/3 | 1/3 |
# | 3 | 2 | 2 | 0 | 0 | 0 |
# | 4 | 1 | 1 | 0 | 0 | 0 |
#
# Four characters have no run of five, so these four rows count. The means are P
# = R = (3/4 + 1/3) / 4 = 0.271. For "잘자!" the rows 1 to 3 count, with the
# precisions 3/3, 1/2, 0 and the recalls 3/4, 1/3, 0: P = 0.500 and R = 0.361. P
# and R are combined into one number, in which recall counts twice as much as
# precision (its parameter β is 2):
#
#     chrF = 100 · (1 + 4) P R / (4 P + R)
#
# That is 27.1 for the first and 5 · 0.500 · 0.361 / (2.000 + 0.361) = 0.382, or
# 38.2, for the second.


# %%
def runs(text, n):
    text = text.replace(" ", "")
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


def sentence_chrf(wanted, given, longest=6):
    P, R = [], []
    for n in range(1, longest + 1):
        reference, answer = runs(wanted, n), runs(given, n)
        if reference and answer:
            common = (reference & answer).total()
            P.append(common / answer.total())
            R.append(common / reference.total())
    P, R = np.mean(P), np.mean(R)
    return 100 * 5 * P * R / (4 * P + R) if P + R else 0.0


for given in "잘 가요!", "잘 자!":
    by_hand = sentence_chrf("잘 자요!", given)
    library = chrf(["잘 자요!"], [given]).score
    print(f"{given}: by hand {by_hand:.1f}, library {library:.1f}")
    assert np.allclose(by_hand, library)

# %% [markdown]
# Remember two things. Here, one wrong syllable of three costs three quarters of
# the score. And the score compares characters and not meanings: "Go well!" is
# the wrong answer, but still gets 27. For a whole data set the counts of all
# pairs are added before dividing.
#
# ### The best answer without reading the prompt
#
# Suppose that a model ignores the prompt. It can still learn how answers
# begin, and which are frequent. Let there be four training answers: "good
# night", twice "good morning", and once "never mind". The first word is `good`
# in three of four, so it gets the probability 3/4, and after `good` comes
# `morning` in two of three. The four answers get the probabilities 1/4, 1/2,
# 1/2 and 1/4, and the loss of such a model is the mean of their −log:
#
#     (log 4 + log 2 + log 2 + log 4) / 4 = 1.040 nats per answer
#
# On these four answers no model can get below that without reading the prompt.
# And [greedy decoding](glossary.md#greedy-decoding) makes it say "good
# morning", whatever it is asked. Now the same for the training data: one
# function for the loss, one for the answer.


# %%
def blind_loss(answers, new_answers):
    """Nats per character, [END] included, of the counted frequencies."""
    counts, nats = Counter(answers), 0
    for answer in new_answers:
        nats -= np.log(counts[answer] / len(answers))
    return nats / sum(len(answer) + 1 for answer in new_answers)


def blind_answer(answers):
    """Always take the most frequent next character."""
    text = ""
    while not text.endswith("\n"):  # stands for the end token
        rest = [a[len(text) :] for a in answers if a.startswith(text)]
        text += Counter(r[:1] or "\n" for r in rest).most_common(1)[0][0]
    return text[:-1]


example = ["good night"] + 2 * ["good morning"] + ["never mind"]
characters = sum(len(answer) + 1 for answer in example)
nats = blind_loss(example, example) * characters / len(example)
print(f"{nats:.3f} nats per answer; always: {blind_answer(example)}")
assert np.isclose(nats, (2 * np.log(4) + 2 * np.log(2)) / 4)

# %% [markdown]
# ## The equation
#
#     L(x, y) = - mean over t of log p(y_t | y_1 ... y_(t-1), x)
#     p       = softmax of the logits of the model
#
# x is the prompt and y the answer with its end token; t runs over the
# characters of the answer, and padding does not count. All three models
# minimize this same L. They differ in how x reaches y_t: through weights over
# the states of a recurrent encoder, through cross-attention in each block, or
# through self-attention over one text. Averaged over all characters of the
# training answers, the loss without x is at least that of the frequencies
# above.
#
# Retrieval computes something else, without any learning:
#
#     answer(x) = y_i  with  i = argmax_i  cos(v(x), v(x_i))
#
# x_i and y_i are the training pairs, and v counts the runs of 1 to 4 characters
# in a prompt. Runs that occur in many prompts get a smaller weight (TF-IDF).
# Here are the library's lines that prepare the pairs, and those that retrieve:

# %%
print(inspect.getsource(teacher_forcing).split('"""')[2])
print(inspect.getsource(nearest_answer).split('"""')[2])

# %% [markdown]
# ## Code
#
# The data are Korean small talk: 79 *intents*, things that one may want to say,
# such as thanking, being hungry or asking for the weather, each with six
# prompts or more and *one* answer. We need three parts. The library holds out
# one prompt in five, the [test set](glossary.md#test-set). From the others we
# take 84 by chance as the [validation set](glossary.md#validation-set), and 384
# remain for training.

# %%
prompts, answers = map(np.array, data.dialogues("ko"))
order = np.random.default_rng(SEED).permutation(len(prompts))
training, validation = order[:TRAINING], order[-84:]
known = prompts[training].tolist(), answers[training].tolist()
held_out = {
    "validation": (prompts[validation].tolist(), answers[validation].tolist()),
    "test": data.dialogues("ko", "test"),
}
print(len(known[0]), "pairs,", len(set(known[1])), "different answers")
for prompt, answer in list(zip(*known))[:4]:
    print(f"    {prompt} -> {answer}")
letters = set("".join(known[0]))
for split, (asked, _) in held_out.items():
    new = np.mean([not letters.issuperset(prompt) for prompt in asked])
    print(f"{split}: {len(asked)} prompts, {new:.2f} with an unknown character")
frequent, count = Counter(known[1]).most_common(1)[0]
print(f"most frequent, {count} times: {frequent}")
print("greedy, without a prompt:", blind_answer(known[1]))

# %% [markdown]
# The last two lines are worth a look. The most frequent answer is a pun: a
# strawberry that loses its job becomes strawberry syrup, a word that sounds
# like "unemployment" in Korean. Greedy decoding without a prompt does not
# arrive at it, but at "I am a computer program, but I really like to talk": it
# takes the most frequent first character, then the most frequent one after
# that, and so on.
#
# Tokens are characters, as in lesson 04. `encode` makes the inputs and labels
# of a model. For GPT it puts prompt and answer into one row and sets the labels
# of the prompt to 0, which is padding: only the answer is to be predicted.

# %%
tokenizer = CharTokenizer.train([*known[0], *known[1]])
size = tokenizer.vocabulary_size()
LONGEST = 20, 34  # characters of a prompt and of an answer, with their tokens
START, END = tokenizer.start_id, tokenizer.end_id


def padded(rows, length):
    ids = np.zeros((len(rows), length), "int32")
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids


def encode(kind, prompts, answers):
    source = tokenizer.tokenize(prompts, end=True)
    target = tokenizer.tokenize(answers, start=True, end=True)
    inputs, labels = teacher_forcing(source, target)
    if kind is not GPT:
        inputs = {k: padded(v, n) for (k, v), n in zip(inputs.items(), LONGEST)}
        return inputs, padded(labels, LONGEST[1])
    pairs = [*zip(inputs["source"], inputs["target"], labels)]
    x = [[*prompt[:-1], *answer] for prompt, answer, _ in pairs]
    y = [[0] * (len(prompt) - 1) + [*label] for prompt, _, label in pairs]
    return padded(x, sum(LONGEST)), padded(y, sum(LONGEST))


# %%
for kind in Transformer, GPT:
    x, y = encode(kind, *(texts[:1] for texts in known))
    rows = x if isinstance(x, dict) else {"text": x}
    for name, ids in (rows | {"labels": y}).items():
        line = " ".join(tokenizer.tokens(ids)[0][:32])
        print(f"{kind.__name__:12}{name:8}{line.replace('[PAD]', '.')}")

# %% [markdown]
# One function trains any model. Data, batches, optimizer and dropout are the
# same for all. Width and number of epochs are not: 128 and 20 for the model
# with attention, 64 and 40 for the Transformer, 64 and 60 for GPT. The models
# learn at different speeds, as the first picture will show. These numbers and
# the peaks of the learning rates come from another random division of the same
# 468 pairs, after only two to four trials for each model. One choice is not
# clean: an earlier run of this lesson gave the model with attention 64 units,
# and had shown its test score before the width became 128. `ask` turns prompts
# into answers, with any sampler.

# %%
MODELS = {
    "attention": (BahdanauSeq2Seq, 5e-3, {"bidirectional": True}),
    "Transformer": (Transformer, 4e-3, {"normalize_first": True}),
    "GPT": (GPT, 5e-3, {"max_sequence_length": sum(LONGEST) + 4}),
}


def make(kind, units, options):
    keras.utils.set_random_seed(SEED)
    if kind is not BahdanauSeq2Seq:
        options = {"num_heads": 4, "num_layers": LAYERS, **options}
    sizes = (size,) if kind is GPT else (size, size)
    model = kind(*sizes, units, dropout=0.1, **options)
    model.supports_jit = False  # compiling with XLA would take longer
    x, _ = encode(kind, *(texts[:1] for texts in known))
    model(x)  # creates the weights
    return model


def compile_model(model, peak, epochs):
    steps = epochs * TRAINING // 16
    rate = WarmupCosineDecay(peak, steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    loss, metrics = TokenCrossEntropy(), [TokenAccuracy()]
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)


# %%
def prompt_ids(model, prompts):
    if not isinstance(model, GPT):
        return padded(without_end(prompts, END), LONGEST[0])
    return padded(without_end(prompts, START), LONGEST[0])


def without_end(prompts, last):
    return [[*row, last] for row in tokenizer.tokenize_rows(prompts)]


def ask(model, prompts, sampler=None):
    sampler = sampler or Greedy()
    ids = prompt_ids(model, list(prompts))
    found = generate(model, ids, sampler, max_length=LONGEST[1], end_id=END)
    return tokenizer.detokenize(found.ids)


# %%
models, histories, distinct, often = {}, {}, {}, {}


def watch(name, model):
    distinct[name], often[name] = {}, {}

    def on_epoch_end(epoch, logs):
        if epoch < 10 or epoch % 5 == 4:
            said = ask(model, held_out["validation"][0])
            distinct[name][epoch + 1] = len(set(said)) / len(said)
            often[name][epoch + 1] = Counter(said).most_common(1)[0]

    return keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)


# %%
for name, units, epochs in zip(MODELS, UNITS, EPOCHS):
    kind, peak, options = MODELS[name]
    models[name] = model = make(kind, units, options)
    compile_model(model, peak, epochs)
    begin = time.perf_counter()
    histories[name] = model.fit(
        *encode(kind, *known),
        batch_size=16,
        epochs=epochs,
        validation_data=encode(kind, *held_out["validation"]),
        callbacks=[watch(name, model)],
        verbose=0,
    ).history
    seconds = time.perf_counter() - begin
    print(f"{name}: {model.count_params():,} weights, {seconds:.0f} s")

# %% [markdown]
# Now compare six chatbots: the three models, retrieval, and two that always
# give the same answer, each one of the two from above. Beside the score are
# three shares: of answers that are exactly right (`exact`), of different
# answers among all (`distinct`), and of answers that occur in the training data
# (`known`).

# %%
chatbots = {
    "always the most frequent": lambda prompts: [frequent] * len(prompts),
    "greedy without a prompt": lambda prompts: (
        [blind_answer(known[1])] * len(prompts)
    ),
    "retrieval": lambda prompts: nearest_answer(*known, prompts),
}
for name, model in models.items():
    chatbots[name] = lambda prompts, model=model: ask(model, prompts)


def measure(wanted, said):
    return {
        "chrF": chrf(wanted, said).score,
        "exact": exact_match(wanted, said),
        "distinct": len(set(said)) / len(said),
        "known": np.mean([answer in set(known[1]) for answer in said]),
    }


# %%
said, scores = {}, {}
for split, (asked, wanted) in held_out.items():
    rows = {name: answer(asked) for name, answer in chatbots.items()}
    rows["the written answers"] = wanted
    print(f"{split:26}chrF  exact  distinct  known")
    for name, found in rows.items():
        said[split, name] = found
        scores[split, name] = row = measure(wanted, found)
        line = "".join(f"{row[k]:8.2f}" for k in ("exact", "distinct", "known"))
        print(f"  {name:24}{row['chrF']:4.1f}{line}")

# %%
asked, wanted = held_out["validation"]
for i in range(0, len(asked), max(1, len(asked) // 6)):
    print(f"{asked[i]}  (written: {wanted[i]})")
    for name in "retrieval", *models:
        print(f"    {name:12} {said['validation', name][i]}")

# %% [markdown]
# ### Teacher forcing
#
# In training each character is predicted from the true ones before it. How
# often is it right, and how often is the whole answer right when the model
# reads its own characters instead? And what if its first characters are wrong?
# At the end GPT gets the first three characters of another answer after the
# prompt, and we count how often it then writes that other answer to its end.

# %%
for name, model in models.items():
    x, y = encode(MODELS[name][0], asked, wanted)
    nats, right = model.evaluate(x, y, verbose=0)
    alone = scores["validation", name]["exact"]
    print(f"{name:12} {nats:.3f} nats; characters right, after true", end="")
    print(f" ones: {right:.3f}; answers right, on its own: {alone:.2f}")

begun = [other[:3] for other in wanted[1:] + wanted[:1]]
rows = without_end(asked, START)
starts = tokenizer.tokenize_rows(begun)
ids = padded([[*r, *s] for r, s in zip(rows, starts)], LONGEST[0] + 3)
found = generate(models["GPT"], ids, max_length=LONGEST[1], end_id=END).ids
whole = [b + t for b, t in zip(begun, tokenizer.detokenize(found))]
followed = exact_match(wanted[1:] + wanted[:1], whole)
print(f"with another beginning, the other answer: {followed:.2f}")
print(f"{asked[0]} -> {begun[0]}| -> {whole[0]}")

# %% [markdown]
# After the true characters, the Transformer gets about 0.98 of the characters
# right and GPT 0.96, but of the whole answers, written from their own
# characters, only 0.64 and 0.50. Most characters are easy: once an answer has
# begun, there is usually only one way to continue it. What matters is the few
# that decide *which* answer it is, and teacher forcing supplies these.
#
# The last lines show the other side. If GPT is made to begin with three
# characters of another answer, it completes that other answer for about 0.35 of
# the prompts, although the prompt asks for something else. In training it never
# met a wrong beginning, so it never learned to return to the prompt.
#
# ### Padding
#
# The rows of GPT have 54 places. How many of them count in the loss? And does
# an answer depend on how much padding surrounds its prompt?

# %%
x, y = encode(GPT, *known)
print(f"real tokens of the text: {np.mean(x != 0):.2f}", end="")
print(f", labels that count: {np.mean(y != 0):.2f}")
ids = prompt_ids(models["GPT"], asked)
wider = np.pad(ids, ((0, 0), (4, 0)))  # four more, on the left
one = generate(models["GPT"], ids, max_length=LONGEST[1], end_id=END)
other = generate(models["GPT"], wider, max_length=LONGEST[1], end_id=END)
assert np.array_equal(one.ids, other.ids)
logits = models["GPT"](x[:64])
for pad_id in 0, None:
    value = float(TokenCrossEntropy(pad_id=pad_id)(y[:64], logits))
    print(f"loss with pad_id={pad_id}: {value:.3f} nats")

# %% [markdown]
# Less than half of the labels count. Four more places of padding, on the left,
# change no answer: the mask hides them, and positions are counted from the
# first real token. If the loss counted padding, it would be above 10 nats
# instead of below 0.1, since the model was never trained on what follows the
# end token, and need not predict it.
#
# ### Start and end tokens
#
# What does GPT write if it gets the prompt without the start token? And what
# follows after the end token if generation does not stop there?

# %%
few = asked[:4]
bare = padded(tokenizer.tokenize_rows(few), LONGEST[0])
no_start = generate(models["GPT"], bare, max_length=LONGEST[1], end_id=END).ids
ids = prompt_ids(models["GPT"], few)
no_end = generate(models["GPT"], ids, max_length=LONGEST[1]).ids
for prompt, first, second in zip(few, no_start, no_end):
    names = tokenizer.tokens(second[None])[0]
    print(f"{prompt}|{tokenizer.detokenize(first)}   (without [START])")
    print(f"{'':4}{''.join(names)}   (without an end)")

# %% [markdown]
# Without the start token the prompt is not finished, so GPT continues it. It
# begins with a space or with pieces of words that do not exist, and only then
# writes some answer. It has learned nothing about what follows the end token:
# mostly it predicts the end token again, sometimes a leftover of an answer.
# This is why `generate` needs to know which token ends a row, and why it must
# be among the labels.
#
# ### Greedy decoding, temperature and top-p
#
# The same model, the same prompts, four ways to pick a token (lesson 08): the
# most probable one, or [sampling](glossary.md#sampling) at a
# [temperature](glossary.md#temperature) or with [top-p](glossary.md#top-p).

# %%
SAMPLERS = {
    "greedy": Greedy(),
    "temperature 1": Sampling(seed=SEED),
    "temperature 2": Sampling(temperature=2.0, seed=SEED),
    "top-p, p = 0.9": Sampling(top_p=0.9, seed=SEED),
}
picked = {}
for name, sampler in SAMPLERS.items():
    found = ask(models["attention"], asked, sampler)
    picked[name] = row = measure(wanted, found)
    print(f"{name:16}", *(f"{k} {v:.2f}" for k, v in row.items()), sep="  ")
    print(f"{'':16}  {asked[0]} -> {found[0]}")

# %% [markdown]
# Nothing is gained by sampling here. There is one right answer to each prompt,
# and the most probable characters lead to it most often. With top-p and at
# temperature 1 somewhat fewer answers are right, and at temperature 2 hardly
# one in twenty: the characters form words that do not exist. At the same time
# the share of different answers rises from 0.68 to 1.00. So a low share is a
# warning, but a high share is no proof of quality. Where many answers are
# acceptable, the trade-off is that of lesson 08.
#
# ### Less data
#
# Last, the model with attention again, on 96 and on 192 of the pairs, with the
# same number of steps. `reset_weights` gives it new weights, so that nothing is
# compiled again.

# %%
again = models["attention"]
final = again.get_weights()
kind, _, options = MODELS["attention"]


def learn(amount):
    """Train on the first pairs; with all of them, the weights are there."""
    if amount == TRAINING:
        again.set_weights(final)
        return
    reset_weights(again, make(kind, UNITS[0], options))
    epochs = EPOCHS[0] * TRAINING // amount
    x, y = encode(kind, *(texts[:amount] for texts in known))
    again.fit(x, y, batch_size=16, epochs=epochs, verbose=0)


# %%
amounts = [*SMALLER, TRAINING]
both = "attention", "retrieval"
by_amount = {(split, name): [] for split in held_out for name in both}
for amount in amounts:
    learn(amount)
    part = tuple(texts[:amount] for texts in known)
    for split, (asked, wanted) in held_out.items():
        possible = np.mean([answer in set(part[1]) for answer in wanted])
        print(f"{amount} pairs, {split}: {possible:.2f} of the answers known")
        found = ask(again, asked), nearest_answer(*part, asked)
        for name, texts in zip(both, found):
            row = measure(wanted, texts)
            by_amount[split, name].append(row["chrF"])
            print(f"    {name:10} chrF {row['chrF']:.1f}", end="")
            print(f", distinct {row['distinct']:.2f}")

# %% [markdown]
# ## Picture
#
# Four pictures. First, how the models learned to read the prompt: the loss of
# the validation answers beside the loss of a model that knows only the
# frequencies of the training answers, and the share of different answers among
# 84.

# %%
asked, wanted = held_out["validation"]
blind = blind_loss(known[1], [a for a in wanted if a in set(known[1])])
written = len(set(wanted)) / len(wanted)
figure = Figure(figsize=(9.5, 3.8), layout="constrained")
left, right = figure.subplots(1, 2)
for (name, history), look in zip(histories.items(), ("-", "--", ":")):
    epochs = range(1, len(history["loss"]) + 1)
    left.plot(epochs, history["val_loss"], look, label=name)
    right.plot([*distinct[name]], [*distinct[name].values()], look, label=name)
left.axhline(blind, color="#595959", lw=1)
left.text(0, blind, "frequencies alone", va="top")
left.set(xlabel="epoch", ylabel="validation loss (nats per character)")
left.set_yscale("log")
for share, label in (
    (written, "written answers"),
    (1 / len(wanted), "one for all"),
):
    right.axhline(share, color="#595959", lw=1)
    right.text(EPOCHS[-1], share, label, ha="right", va="bottom")
right.set(xlabel="epoch", ylabel="share of different answers", ylim=(0, 1))

# %%
left.legend(frameon=False)
for axes in left, right:
    axes.spines[["top", "right"]].set_visible(False)
lesson.show(
    figure,
    "learning",
    "Left, validation loss by epoch beside the loss of frequencies alone. "
    "Right, share of different answers to 84 prompts.",
)
for name, by_epoch in often.items():
    for epoch, (answer, count) in [*by_epoch.items()][:6]:
        print(f"{name}, epoch {epoch}: {count:2} times {answer}")

# %% [markdown]
# Second, the [attention map](glossary.md#attention-map) of an answer, from
# words to words. The model computes a weight for every character of the prompt;
# we add the weights of the characters of a prompt word, and average over the
# characters of an answer word.


# %%
def by_words(weights, prompt, answer):
    rows = np.cumsum([c == " " for c in answer])
    columns = np.cumsum([c == " " for c in prompt] + [True])  # [END]
    weights = weights[: len(rows), : len(columns)]
    found = np.zeros((rows[-1] + 1, columns[-1] + 1))
    for r, c in np.ndindex(*found.shape):
        part = weights[np.ix_(rows == r, columns == c)]
        found[r, c] = part.sum(axis=1).mean()
    return found


# %%
pool = [*zip(*held_out["validation"]), *zip(*held_out["test"])]
right = [
    pair
    for pair, found in zip(pool, ask(again, [prompt for prompt, _ in pool]))
    if pair[1] == found
]
longest = sorted(right or pool, key=lambda pair: -pair[0].count(" "))[:2]
for number, (prompt, answer) in enumerate(longest, 1):
    ids = prompt_ids(again, [prompt])
    found = generate(again, ids, max_length=LONGEST[1], end_id=END)
    map_of_words = by_words(found.attention[0], prompt, answer)
    words = [*prompt.split(), "[END]"]
    print(prompt, map_of_words.mean(axis=0))
    lesson.show(
        plots.alignment(map_of_words, words, answer.split()),
        f"attention_{number}",
        "Attention of each word of an answer (rows) to the words of the "
        "prompt (columns), a prompt that was not trained on.",
    )

# %% [markdown]
# Third, all scores beside the baselines.

# %%
figure = Figure(figsize=(9.5, 3.6), layout="constrained")
names = [*chatbots, "the written answers"]
for axes, split in zip(figure.subplots(1, 2, sharey=True), held_out):
    rows = [scores[split, name] for name in names]
    colors = ["#B3B3B3"] * 3 + ["#0072B2"] * 3 + ["#595959"]
    bars = axes.barh(names, [row["chrF"] for row in rows], color=colors)
    labels = [f"{row['chrF']:.0f}  ({row['distinct']:.2f})" for row in rows]
    axes.bar_label(bars, labels, padding=3)
    axes.set(xlim=(0, 125), title=f"{split} prompts")
    axes.set_xlabel("chrF (share of different answers)")
    axes.set_xticks(range(0, 101, 20))
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].invert_yaxis()
lesson.show(
    figure,
    "scores",
    "chrF of each chatbot on validation and test prompts, with the share of "
    "different answers in brackets. Grey: baselines, blue: models.",
)

# %% [markdown]
# Fourth, when is looking up enough? On the left all held-out prompts, sorted
# into four groups by the cosine of the most similar training prompt. On the
# right the scores by the number of training pairs.

# %%
vectors = TfidfVectorizer(
    analyzer="char", ngram_range=(1, 4), sublinear_tf=True
)
base = vectors.fit_transform(known[0])
cosine = (vectors.transform([prompt for prompt, _ in pool]) @ base.T).toarray()
nearest = cosine.max(axis=1)
for split, part in ("validation", nearest[:84]), ("test", nearest[84:]):
    print(f"{split}: mean cosine of the nearest {part.mean():.2f}")
groups = np.array_split(np.argsort(nearest), 4)
by_similarity = {}
for name in "retrieval", *models:
    found = [*said["validation", name], *said["test", name]]
    by_similarity[name] = [
        chrf([pool[i][1] for i in group], [found[i] for i in group]).score
        for group in groups
    ]
    print(f"{name:12}", *(f"{value:.1f}" for value in by_similarity[name]))

# %%
figure = Figure(figsize=(9.5, 3.9), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
middle = [nearest[group].mean() for group in groups]
looks = {
    "retrieval": "k--o",
    "attention": "-s",
    "Transformer": "-^",
    "GPT": "-D",
}
for name, values in by_similarity.items():
    left.plot(middle, values, looks[name], label=name)
left.set(xlabel="cosine of the most similar training prompt", ylabel="chrF")
for (split, name), values in by_amount.items():
    color = {"validation": "#0072B2", "test": "#D55E00"}[split]
    dash = {"attention": "-s", "retrieval": "--o"}[name]
    right.plot(amounts, values, dash, color=color, label=f"{name}, {split}")
right.set(xlabel="training pairs", xticks=amounts)

# %%
for axes in left, right:
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
lesson.show(
    figure,
    "when",
    "Left, chrF by the similarity of the nearest training prompt, for "
    "retrieval and the three models. Right, chrF by the number of pairs.",
)

# %% [markdown]
# **What you should see.** In the first picture look at the right, at the first
# epochs. All three models begin near the bottom. After its first epoch GPT
# writes only spaces, and the model with attention says the same thing to half
# of the 84 prompts. After four epochs about half of them get the same answer
# from the Transformer, too. Which one? The lines printed below the picture show
# it: a garbled form of "저는 컴퓨터 프로그램이지만 ..." ("I am a computer
# program, but ..."), and that is the greedy answer without a prompt, which we
# counted before any training. So the models do begin with one answer to every
# prompt. It is not even the most frequent sentence, but the most frequent
# characters one after the other.
#
# But with 384 pairs this is over after ten epochs. With only 96 pairs and as
# many steps the answers of the model with attention are not all the same
# either: a share of 0.79 is different, more than of the written ones (0.65),
# and with a chrF of 25 most are wrong. Here too little *training* makes the
# answers equal, and too few *pairs* make them wrong.
#
# The curves of attention and GPT stay above the line of the written answers,
# because these models mix: the beginning of one answer, the end of another. The
# column `known` says so. About 0.99 of the Transformer's answers to the
# validation prompts are training answers to the letter, 0.90 of those with
# attention, 0.79 of GPT's. On the left, two of the models fall below the loss
# of the frequencies after six to eleven epochs, which a model that ignores the
# prompt could hardly do. The loss of GPT does not, although half of its answers
# are right: on the training pairs it is far below that line, and a wrong
# answer, predicted with confidence, costs many nats.
#
# In the attention maps there is no diagonal, as there was for dates. An answer
# is not a translation: no word of it belongs to one word of the prompt. The
# rows resemble each other, since the same part of the prompt decides the whole
# answer. In "이번 달에 돈을 너무 많이 썼어." ("I spent too much money this
# month.") that part is 돈을, "money", a dark column with about 0.74 of the
# weight on average. The second map is paler and has no single word that
# decides.
#
# In the third picture compare the blue bars with the grey one of retrieval,
# left and right. Then see the last picture, on the left. Every line rises:
# prompts that resemble a known one are easier for all four. For the most
# similar quarter retrieval is ahead of all models, 93 to 89 for the
# Transformer. In the two middle groups the Transformer is ahead, 74 to 69 and
# 85 to 81; with 53 prompts in a group these are small differences. With the
# least similar prompts all four are nearly level, at 51 to 53. On the right,
# see how the model catches up: on the test prompts retrieval is 15 points ahead
# with 96 pairs, 6 with 192, and 1 with 384. Looking up works from the first
# pair on; a model has to learn the language first. How the lines would continue
# with more pairs cannot be told from these data.

# %% [markdown]
# ## The number beside a baseline

# %%
for split in held_out:
    for name in models:
        row = scores[split, name]
        base = scores[split, "retrieval"]
        what = f"chrF, {split}, {name}"
        lesson.compare(what, row["chrF"], "retrieval", base["chrF"])
        what = f"different answers, {split}, {name}"
        lesson.compare(what, row["distinct"], "retrieval", base["distinct"])

# %% [markdown]
# Is a model ahead of retrieval? On the validation prompts the Transformer is,
# 66.7 to 63.4. But these are 84 prompts, each of them about one point, and a
# difference of three proves little. On the test prompts the two are level, 80.1
# and 80.2. The model with attention has 62.2 and 79.0, GPT 58.2 and 73.6: no
# model is clearly ahead at this size. Width and epochs differ between the
# models, so their order is not settled either; with 64 units, in an earlier
# run, the model with attention was about ten points lower. In the longer
# experiment, with English and Korean in one model and 20 epochs for each, no
# model reaches retrieval on the test prompts: retrieval has a chrF of 83.0,
# attention 78.9, the Transformer 76.7, and one context vector 62.3
# (`results/experiments/chatbot-dialogues.json`).
#
# Why is retrieval so strong here? Because of the prompts. The nearest training
# prompt has a mean cosine of 0.62 with the test prompts and of 0.54 with those
# that we drew by chance: the test set of these data holds more near copies, and
# there even the best model can only draw level. From the test set alone one
# would conclude that learning is useless; the picture by similarity shows where
# it may help. And retrieval has two advantages that no score shows: it answers
# in milliseconds without training, and every sentence it returns was written by
# a person.
#
# What the lesson shows: from 384 pairs a model learns to recite 79 Korean
# answers, the Transformer nearly always to the letter, and to choose among them
# by the prompt about as well as a search. What it does not show is a
# conversation. Each intent has one answer, no prompt refers to an earlier one,
# and no prompt asks for a fact.

# %% [markdown]
# ## Pitfalls
#
# **A score without the share of different answers.** *Symptom:* an acceptable
# chrF, and many prompts get the same answer. Print both, and look at ten
# answers.
#
# **Held-out prompts that are nearly training prompts.** *Symptom:* retrieval
# beats every model on the test set, and both disappoint the first real user.
# Measure how similar the nearest training prompt is.
#
# **No end token in the labels, or no `end_id` in use.** *Symptom:* a good
# answer and then nonsense up to the largest length.
#
# **The start token forgotten.** *Symptom:* GPT continues the prompt instead of
# answering it. The prompt must look in use exactly as it did in training.
#
# **A loss that counts padding.** *Symptom:* in training a very low loss, and
# poor answers. A model that is trained on padding too soon predicts padding
# after padding, and in the mean the rest is hidden.
#
# **Trust in a fluent answer.** *Symptom:* an answer without any mistake to a
# prompt that it does not fit. With one answer for each intent the model learns
# to recite, and a fluent answer need not be a right one.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check that never stops the lesson,
# and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): padding does not count
#
# `nats` (B, T) holds the loss of every place of a batch, `labels` (B, T) the
# label ids, 0 for padding. Return the mean loss of the real labels, over the
# whole batch.


# %% tags=["exercise"]
def mean_loss(nats, labels):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    nats = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = mean_loss(nats, np.array([[7, 3, 0], [3, 0, 0]]))
    assert np.isclose(found, 7 / 3), f"(1 + 2 + 4) / 3, not {found}"
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(5, 7, 11)).astype("float32")
    labels = np.array(rng.integers(11, size=(5, 7)), "int32")
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = -np.take_along_axis(log_p, labels[..., None], -1)[..., 0]
    wanted = float(TokenCrossEntropy()(labels, logits))
    found = mean_loss(each, labels)
    assert np.isclose(found, wanted, atol=1e-4), "the library's loss differs"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def mean_loss(nats, labels):
#     return nats[labels != 0].mean()
# ```
#
# Not the mean of the means of the rows: a long answer counts more than a short
# one.
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): are the answers dull?
#
# Another measure of variety is the share of different runs of n *words* among
# all runs of n words in all answers (Li et al., 2016, who call it distinct-n).
# Return it. Words are separated by spaces, and a run does not continue in the
# next answer.


# %% tags=["exercise"]
def distinct_runs(answers, n):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    two = ["I do not know", "I do not think so"]
    for n, right in (1, 6 / 9), (2, 5 / 7), (3, 4 / 5):
        found = distinct_runs(two, n)
        assert np.isclose(found, right), f"n = {n}: {right:.3f}, not {found}"
    asked, wanted = held_out["validation"]
    dull = distinct_runs([frequent] * len(wanted), 2)
    assert dull < distinct_runs(wanted, 2), "one sentence is not varied"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def distinct_runs(answers, n):
#     found = []
#     for words in map(str.split, answers):
#         found += [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
#     return len(set(found)) / len(found)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): chrF of a data set
#
# Add up the counts of all pairs, for each n from 1 to 6: the runs of the
# answers, the runs of the wanted ones, and those in common. Then compute
# precision and recall for each n, take their means over the n for which both
# sides have runs, and combine them as above. `runs` from above may be used.


# %% tags=["exercise"]
def corpus_chrf(wanted, given):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    found = corpus_chrf(["잘 자요!"] * 2, ["잘 가요!", "잘 자!"])
    assert np.isclose(found, 27.8535, atol=0.01), f"27.85, not {found:.2f}"
    asked, wanted = held_out["test"]
    given = said["test", "retrieval"]
    right = scores["test", "retrieval"]["chrF"]
    found = corpus_chrf(wanted, given)
    assert np.isclose(found, right, atol=0.01), f"{right:.2f}, not {found:.2f}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def corpus_chrf(wanted, given):
#     P, R = [], []
#     for n in range(1, 7):
#         pairs = [(runs(w, n), runs(g, n)) for w, g in zip(wanted, given)]
#         common = sum((w & g).total() for w, g in pairs)
#         reference = sum(w.total() for w, _ in pairs)
#         answer = sum(g.total() for _, g in pairs)
#         if reference and answer:
#             P.append(common / answer)
#             R.append(common / reference)
#     P, R = np.mean(P), np.mean(R)
#     return 100 * 5 * P * R / (4 * P + R) if P + R else 0.0
# ```
#
# The two answers of the worked example have 27.1 and 38.2 on their own, and
# 27.9 together, which is not their mean: the score of a data set is not the
# mean of the scores.
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): retrieval in NumPy
#
# Write the baseline. For each lower-case prompt count its runs of 1 to 4
# characters, spaces included (so `runs` does not fit). A run that occurs in d
# of N training prompts has the weight log((1 + N) / (1 + d)) + 1, its entry in
# the vector is (1 + log(count)) times its weight, and runs that no training
# prompt has are left out. Divide each vector by its length. Return the answer
# of the training prompt with the largest dot product, the first one if several
# are equal. The check compares with the library's function.


# %% tags=["exercise"]
def retrieve(train_prompts, train_answers, prompts):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    small = ["시간 있어?", "hello"], ["네!", "hi"]
    assert retrieve(*small, ["시간 돼?"]) == ["네!"], (
        "시간 돼? is like 시간 있어?"
    )
    asked, wanted = held_out["test"]
    found = retrieve(*known, asked)
    assert len(found) == len(asked), "one answer for each prompt"
    same = exact_match(said["test", "retrieval"], found)
    assert same > 0.98, f"only {same:.2f} of the answers are the library's"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def retrieve(train_prompts, train_answers, prompts):
#     def count(text):
#         text = text.lower()
#         return Counter(
#             text[i : i + n]
#             for n in range(1, 5)
#             for i in range(len(text) - n + 1)
#         )
#
#     counts = [count(prompt) for prompt in train_prompts]
#     occurs = Counter(run for each in counts for run in each)
#     place = {run: i for i, run in enumerate(occurs)}
#     d = np.array([*occurs.values()])
#     weight = np.log((1 + len(counts)) / (1 + d)) + 1
#
#     def vector(counted):
#         v = np.zeros(len(place))
#         for run in counted.keys() & place.keys():
#             v[place[run]] = 1 + np.log(counted[run])
#         v *= weight
#         return v / max(np.linalg.norm(v), 1e-12)
#
#     matrix = np.array([vector(each) for each in counts])
#     best = [np.argmax(matrix @ vector(count(prompt))) for prompt in prompts]
#     return [train_answers[i] for i in best]
# ```
#
# Nothing is trained here, and with near copies among the prompts nothing needs
# to be.
#
# </details>

# %% [markdown]
# ## Next
#
# All three models began with random weights. A few hundred pairs had to teach
# them Korean and small talk at once, and a prompt that shares no word with a
# known one tells them almost nothing. A person who answers has read a lot
# before. The next lesson, `10_bert`, first trains a model on plain text,
# without prompts and answers, and this model reads both sides of a word at
# once.

# %%
lesson.finish()
