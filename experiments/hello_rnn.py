# %% [markdown]
# # Three recurrent cells as language models of characters
#
# A simple recurrent network, a GRU and an LSTM of equal width predict the next
# character of a text, with equal batches and numbers of steps. Measured: nats
# per character on held-out text, beside counted unigrams and trigrams. Before
# that: "hell" -> "ello" by a network of eight units, and the loop over the cell
# written out, compared with the layer.
#
# Data: `pydocs`, Python's documentation; `--data tinyshakespeare`.
# Expected: "ello", every character right. Tiny Shakespeare: LSTM at most 1.65
# nats per character, GRU about as good, the simple network 1.73, trigrams 2.05.
# Minutes, on two processor cores: 3.

# %%
import keras
import numpy as np

from keras_seq import data, plots
from keras_seq.evaluation import ngram_loss
from keras_seq.generation import Sampling, generate
from keras_seq.layers import OneHot, SimpleRNN
from keras_seq.models import RecurrentLM
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    NatsPerToken,
    Run,
    SampleEachEpoch,
    TokenCrossEntropy,
    next_token_windows,
)

EPOCHS = {"pydocs": 8, "tinyshakespeare": 2}
run = Run("hello_rnn", data=tuple(EPOCHS), epochs=EPOCHS)
metrics, baselines = {}, {}

# %% [markdown]
# ## "hell" -> "ello"
#
# Four letters, one-hot in, a state of eight numbers, four probabilities out.

# %%
vocabulary = data.HELLO_VOCABULARY  # "helo"
source, target = (
    np.array([[vocabulary.index(letter) for letter in word]])
    for word in data.hello()
)
hello = keras.Sequential(
    [
        keras.Input((None,), dtype="int32"),
        OneHot(len(vocabulary)),
        SimpleRNN(8, return_sequences=True),
        keras.layers.Dense(len(vocabulary)),
    ]
)
hello.compile(
    keras.optimizers.Adam(0.1),
    TokenCrossEntropy(pad_id=None),
    jit_compile=run.jit_compile and "auto",
)
callbacks = run.callbacks("hello", every=30)
hello.fit(source, target, epochs=30, verbose=0, callbacks=callbacks)

logits = keras.ops.cast(hello(source), "float32")
logits = keras.ops.convert_to_numpy(logits)
p = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[0]
print("\ninput     " + "".join(f"{letter:>7}" for letter in vocabulary))
for letter, row in zip(data.hello()[0], p):
    print(f"{letter} ->      " + "".join(f"{value:7.3f}" for value in row))
metrics["hello_accuracy"] = np.mean(logits.argmax(-1) == target)
baselines["hello_accuracy"] = 0.75  # the best without a memory: one l is wrong
picture = plots.probabilities(p, vocabulary, data.hello()[0])
run.save(picture, "hello")

# %% [markdown]
# ## The loop, written out
#
# A recurrent layer is a cell and a loop. By hand:

# %%
embed, layer = hello.layers[0], hello.layers[1]
x = embed(source)
h = [np.zeros((1, 8), "float32")]
for t in range(x.shape[1]):
    output, h = layer.cell(x[:, t], h)
difference = np.abs(keras.ops.convert_to_numpy(output - layer(x)[:, -1])).max()
print(f"\nby hand and by the layer: at most {difference:.1e} apart")
metrics["loop_difference"] = difference

# %% [markdown]
# ## A model of prose, letter by letter
#
# The same three lines with more letters: embed, recur, score the next letter.
# Equal width, batches and number of steps for the three cells; the simple
# network has half the rate.

# %%
texts = data.pydocs_text if run.data == "pydocs" else data.tinyshakespeare
train, test = texts("train"), texts("test")
if run.quick:
    train, test = train[:20_000], test[:5000]
tokenizer = CharTokenizer.train(train)
V = tokenizer.vocabulary_size()
train_ids, test_ids = tokenizer.tokenize(train), tokenizer.tokenize(test)
x, y = next_token_windows(train_ids, 64)
held_out = next_token_windows(test_ids, 64)
for name, n in (("unigram", 1), ("trigram", 3)):
    baselines[f"loss_{name}"] = ngram_loss(train_ids, test_ids, n, V)

# %% [markdown]
# Every twentieth window of the training text is kept apart to watch the
# curve; the test text is looked at once, at the end.

# %%
prompt = test[:20].split("\n")[0]
CELLS = ("lstm",) if run.quick else ("rnn", "gru", "lstm")
TEMPERATURES, WRITTEN = ((0.7,), 60) if run.quick else ((0.3, 0.7, 1.2), 200)


def speak(model, temperature, length=WRITTEN):
    sampler = Sampling(temperature=temperature, seed=run.seed)
    ids = generate(
        model, tokenizer.tokenize([prompt]), sampler, max_length=length
    ).ids
    return prompt + "|" + tokenizer.detokenize(ids)[0].replace("\n", "⏎")


curves, models = {}, {}
kept = np.arange(len(x)) % 20 == 0
for cell in CELLS:
    model = RecurrentLM(V, 256, cell=cell, embedding_dim=64, pad_id=None)
    steps = run.epochs * -(-np.sum(~kept) // 32)
    rate = keras.optimizers.schedules.CosineDecay(
        4e-4,
        steps,
        warmup_target=4e-3 if cell == "rnn" else 8e-3,
        warmup_steps=steps // 20,
    )
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer, TokenCrossEntropy(), metrics=[NatsPerToken()])
    model(x[:1])
    print(f"\n{cell}: {model.count_params():,} parameters")
    model.fit(
        x[~kept],
        y[~kept],
        batch_size=32,
        epochs=run.epochs,
        validation_data=(x[kept], y[kept]),
        verbose=2,
        callbacks=[
            SampleEachEpoch(lambda model=model: speak(model, 0.7, 60)),
            *run.callbacks(cell),
        ],
    )
    history = run.history(cell)
    curves[cell.upper()] = history["val_nats_per_token"]
    scores = model.evaluate(*held_out, 128, verbose=0, return_dict=True)
    metrics[f"loss_{cell}"] = scores["nats_per_token"]
    models[cell] = model

lines = {"one letter": "loss_unigram", "three letters": "loss_trigram"}
lines = {f"counting {k}": baselines[v] for k, v in lines.items()}
run.save(plots.curves(curves, baselines=lines), "curves")

# %% [markdown]
# ## Three temperatures
#
# Below 1 the most probable letters are chosen more often, and the text repeats
# itself; above 1 improbable ones are chosen more often, and the words fall
# apart.

# %%
for temperature in TEMPERATURES:
    print(f"\ntemperature {temperature}: {speak(models['lstm'], temperature)}")

# %%
expected = {"hello_accuracy": 1.0, "loop_difference": "below 1e-6"}
if run.data == "tinyshakespeare":
    expected |= {"loss_lstm": "at most 1.65", "loss_rnn": "above loss_lstm"}
run.finish(models["lstm"], metrics, baselines, expected)
