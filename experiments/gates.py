# %% [markdown]
# # Gates: what vanishes, and what does not
#
# A simple recurrent network, a GRU and an LSTM of equal width learn to add two
# marked numbers of a sequence. Measured: the squared error over 50, 100 and 200
# steps; the gradient by lag, before and after training; the gates on single
# sequences; the loss with and without gradient clipping where the gradient
# explodes; parameters, and the time of a training step.
#
# Data: `adding`, generated; Python's documentation for the picture of the gates
# on a sentence.
# Expected: over 100 steps, GRU and LSTM at most 0.01, the simple network above
# 0.1 (always answering 1, the mean, has 0.167).
# Minutes, on two processor cores: 3.

# %%
import keras
import numpy as np

from keras_seq import data, plots
from keras_seq.evaluation import gradient_by_lag, median_ratio, time_interleaved
from keras_seq.layers import GRU, LSTM, ChronoInitializer, SimpleRNN
from keras_seq.models import RecurrentLM
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    Run,
    StopWhen,
    TokenCrossEntropy,
    next_token_windows,
)

run = Run("gates", data=("adding",), epochs=4)
CELLS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
NAMES = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
ROWS, UNITS = (1280 if run.quick else 32_000), 64
LENGTHS, LAG = ((50,), 20) if run.quick else ((50, 100, 200), 100)
metrics, baselines, adders = {}, {}, {}

# %% [markdown]
# ## The adding problem
#
# At each step the input is a random number and a mark. Two numbers are marked;
# the output after the last step is to be their sum. Always answering 1 has a
# squared error of 1/6 = 0.167. To do better, a number has to be kept for up to
# T - 1 steps.
#
# All three cells get the same width, the same optimizer and at most the same
# 1,000 steps. The LSTM starts with its forget gates open for 1 to T steps
# (Tallec & Ollivier 2018), not at the usual sigmoid(1) = 0.73.


# %%
def learn_to_add(name, layer, length):
    x, y = data.adding(ROWS, length, seed=run.seed)
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layer, keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
    model.compile(optimizer, "mse", jit_compile=run.jit_compile)
    print(f"\n{name}: {model.count_params():,} parameters")
    callbacks = [*run.callbacks(name), StopWhen("val_loss", 0.003)]
    validation = data.adding(500, length, seed=run.seed + 1)
    options = {"epochs": run.epochs, "batch_size": 128, "verbose": 2}
    model.fit(x, y, validation_data=validation, callbacks=callbacks, **options)
    rows = 200 if run.quick else 2000
    x, y = data.adding(rows, length, seed=run.seed + 2)  # held out
    metrics[f"adding_mse_{name}"] = model.evaluate(x, y, verbose=0)
    baselines[f"adding_mse_{name}"] = np.mean((y - 1) ** 2)
    adders[name] = model


def open_lstm(steps):
    bias = ChronoInitializer(steps, seed=run.seed)
    return LSTM(UNITS, bias_initializer=bias, unit_forget_bias=False)


for length in LENGTHS:
    learn_to_add(f"rnn_{length}", SimpleRNN(UNITS), length)
    learn_to_add(f"gru_{length}", GRU(UNITS), length)
    learn_to_add(f"lstm_{length}", open_lstm(length), length)
scores = {
    NAMES[cell]: [metrics[f"adding_mse_{cell}_{n}"] for n in LENGTHS]
    for cell in CELLS
}
figure = plots.curves(
    scores,
    x=LENGTHS,
    xlabel="length of the adding problem (steps)",
    ylabel="squared error, held out",
    baselines={"always 1": 1 / 6},
    log=True,
)
run.save(figure, "adding")

# %% [markdown]
# ## How far back does the gradient reach?
#
#     ratio = |d h_T / d x_{T-LAG}| / |d h_T / d x_T|        LAG = 100
#
# Untrained, the simple network is not the worst: its recurrent matrix is
# drawn orthogonal, which neither stretches nor shrinks. The GRU's gates stand
# half closed (0.5 at each step back), the usual LSTM's at 0.73. But training
# *the simple network* closes the way, while the gates learn to hold it open.

# %%
x, _ = data.adding(64, LAG + 50, seed=run.seed + 3)
length = 50 if run.quick else 100
starts = {"rnn": SimpleRNN(UNITS), "gru": GRU(UNITS), "lstm": open_lstm(length)}
lags = {"LSTM, usual, untrained": gradient_by_lag(LSTM(UNITS), x)}
for cell, untrained in starts.items():
    trained = adders[f"{cell}_{length}"].layers[0]
    before, after = gradient_by_lag(untrained, x), gradient_by_lag(trained, x)
    lags[f"{NAMES[cell]}, untrained"] = before
    lags[f"{NAMES[cell]}, trained"] = after
    metrics[f"gradient_ratio_{cell}"] = after[LAG] / after[0]
    baselines[f"gradient_ratio_{cell}"] = before[LAG] / before[0]
run.save(plots.gradient_by_lag(lags), "gradient_by_lag")

# %% [markdown]
# ## What the gates do
#
# The trained LSTM on one row of the adding problem. A triangle marks the two
# numbers to be added: there the input gate opens and the cell state takes a
# step; everywhere else the forget gate holds what is there.

# %%
x, _ = data.adding(100, 50, seed=run.seed + 4)
lstm = adders["lstm_50"].layers[0]
trace = {
    name: keras.ops.convert_to_numpy(keras.ops.cast(value, "float32"))
    for name, value in lstm.trace(x).items()
}
marks = "".join("▲" if mark else "·" for mark in x[0, :, 1])
one = {name: values[0] for name, values in trace.items()}
run.save(plots.gates(one, marks, units=24), "gates_adding")
jump = np.abs(np.diff(trace["cell_state"], axis=1)).mean(-1)  # (B, T - 1)
marked = x[:, 1:, 1] == 1
metrics["cell_step_marked_over_unmarked"] = (
    jump[marked].mean() / jump[~marked].mean()
)

# %% [markdown]
# And an LSTM that has read Python's documentation letter by letter, on a
# sentence it has never seen.

# %%
text = data.pydocs_text("train")[: 9000 if run.quick else None]
tokenizer = CharTokenizer.train(text)
reader = RecurrentLM(tokenizer.vocabulary_size(), 128, embedding_dim=32)
optimizer = keras.optimizers.Adam(4e-3, clipnorm=1.0)
reader.compile(optimizer, TokenCrossEntropy())
x, y = next_token_windows(tokenizer.tokenize(text), 64)
reader(x[:1])
epochs = 1 if run.quick else 3
reader.fit(x, y, 32, epochs, verbose=2, callbacks=run.callbacks("reader"))
sentence = data.sentences(data.pydocs_text("test"))[0][:45]
embedded = reader.token_embedding(tokenizer.tokenize([sentence]))
run.save(
    plots.gates(reader.recurrent_layers[0].trace(embedded), sentence, units=24),
    "gates_sentence",
)

# %% [markdown]
# ## The gradient that explodes
#
# The opposite accident: a recurrent matrix that stretches, here by 1.5, makes
# the gradient grow on the way back. One step along it throws the weights
# far away, out of the range of float32 in the end; clipping its norm (Pascanu
# et al. 2013) keeps the direction and bounds the step.

# %%
x, y = data.adding(320 if run.quick else 1600, 50, seed=run.seed)
curves = {}
for name, clip in (("unclipped", None), ("clipped", 1.0)):
    keras.utils.set_random_seed(run.seed)  # the same start for both
    stretch = keras.initializers.Orthogonal(gain=1.5)
    layer = SimpleRNN(UNITS, recurrent_initializer=stretch)
    growth = gradient_by_lag(layer, x[:64])
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layer, keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.SGD(0.03, clipnorm=clip)
    model.compile(optimizer, "mse", jit_compile=run.jit_compile)
    epochs = 2 if run.quick else 10
    calls = run.callbacks(name, every=epochs)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=calls)
    curves[name] = run.history(name)["loss"]
    # A loss that has left the range of float32 counts as its largest number.
    worst = np.nan_to_num(curves[name], nan=3.4e38, posinf=3.4e38).max()
    metrics[f"worst_loss_{name}"] = worst
metrics["gradient_growth_50"] = growth[-1] / growth[0]
figure = plots.curves(curves, ylabel="squared error (log)", log=True)
run.save(figure, "exploding")

# %% [markdown]
# ## What the gates cost
#
# Parameters, the numbers that one sequence keeps for the way back, and the
# time of a training step, the three taking turns.

# %%
x, y = data.adding(64, 100, seed=run.seed)
steps = {}
for cell, layer in CELLS.items():
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layer(UNITS), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse", jit_compile=run.jit_compile)
    steps[cell] = lambda model=model: model.train_on_batch(x, y)
    adders[cell] = model
seconds = time_interleaved(steps, rounds=3 if run.quick else 20)
print("\ncell   parameters   kept per sequence   step")
for cell in CELLS:
    layer = adders[cell].layers[0]
    kept = len(layer.trace(x[:1])) * UNITS * x.shape[1] * 4 / 1024
    time = f"{1000 * np.median(seconds[cell]):.1f} ms"
    print(f"{cell:5}{layer.count_params():>12,}{kept:>17.0f} KiB{time:>10}")
metrics["gru_to_lstm_params"] = (
    adders["gru"].layers[0].count_params()
    / adders["lstm"].layers[0].count_params()
)
metrics["gru_to_lstm_step_time"] = median_ratio(seconds["gru"], seconds["lstm"])

# %%
expected = {"adding_mse_rnn_100": "above 0.1"}
expected |= {f"adding_mse_{c}_100": "at most 0.01" for c in ("gru", "lstm")}
expected |= {
    "worst_loss_unclipped": "over 100",
    "worst_loss_clipped": "below 2",
}
expected |= {"gru_to_lstm_params": "about 3/4"}
run.finish(adders["lstm_50"], metrics, baselines, expected)
