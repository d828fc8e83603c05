# %% [markdown]
# # How long a sequence does each recurrent layer learn?
#
# A simple recurrent network, a GRU and an LSTM of equal width learn to add two
# marked numbers, of longer and longer sequences, until they fail. A layer has
# learned a length if its squared error on validation data is at most 0.01;
# always answering 1 has 0.167. It has failed if it has learned with none of
# three learning rates, each from its own initial weights. The error that is
# reported is that of held-out data.
# Measured: of each layer, the greatest length learned and the length at which
# it fails, with the width, the optimizer, the number of training steps and the
# data of the experiment `gates`.
#
# Data: `adding`, generated.
# Expected: the simple network fails at 20 steps; GRU and LSTM learn 1,000, the
# longest tried.
# Minutes, on two processor cores: 70 with `KERAS_BACKEND=torch`, where the
# library uses PyTorch's fused GRU and LSTM; several hours on TensorFlow.

# %%
import keras

from keras_seq import data, plots
from keras_seq.layers import GRU, LSTM, ChronoInitializer, SimpleRNN
from keras_seq.training import Run, StopWhen

run = Run("adding_length", data=("adding",), epochs=4)
ROWS, UNITS = (256 if run.quick else 32_000), 64
LENGTHS = (4, 8) if run.quick else (10, 20, 50, 100, 200, 500, 1000)
RATES = (0.01,) if run.quick else (0.01, 0.003, 0.001)
LEARNED = 0.01

# %% [markdown]
# ## One layer, one length
#
# At most 1,000 steps of 128 sequences (4 epochs), less where the error on
# validation data falls below 0.003. The forget gates of the LSTM are open for
# 1 to T steps at the start (Tallec & Ollivier 2018, section 2), as in `gates`.


# %%
def recurrent_layer(name, length):
    if name == "LSTM":
        bias = ChronoInitializer(length, seed=run.seed)
        return LSTM(UNITS, bias_initializer=bias, unit_forget_bias=False)
    return {"RNN": SimpleRNN, "GRU": GRU}[name](UNITS)


def learn(name, length, rate):
    """Train a layer; return its model, validation and held-out error."""
    keras.utils.set_random_seed(run.seed + RATES.index(rate))
    x, y = data.adding(ROWS, length, seed=run.seed)
    validation = data.adding(500, length, seed=run.seed + 1)
    layer = recurrent_layer(name, length)
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layer, keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer, "mse", jit_compile=run.jit_compile)
    calls = [
        *run.callbacks(f"{name.lower()}_{length}_{rate}"),
        StopWhen("val_loss", 0.003),
    ]
    options = {"epochs": run.epochs, "batch_size": 128, "verbose": 2}
    model.fit(x, y, validation_data=validation, callbacks=calls, **options)
    held_out = data.adding(ROWS // 16, length, seed=run.seed + 2)
    errors = (model.evaluate(*xy, verbose=0) for xy in (validation, held_out))
    return model, *errors


# %% [markdown]
# ## Until each fails
#
# The next rate only where the ones before have not learned.

# %%
metrics, curves, learned = {}, {}, {}
for name in ("RNN", "GRU", "LSTM"):
    errors = curves[name] = []
    learned[name] = 0
    for length in LENGTHS:
        tried = {}  # validation error -> held-out error
        for rate in RATES:
            print(f"\n{name}, {length} steps, learning rate {rate}")
            model, validation, error = learn(name, length, rate)
            tried[validation] = error
            if validation <= LEARNED:
                break
        errors.append(tried[min(tried)])
        metrics[f"mse_{name.lower()}_{length}"] = errors[-1]
        if min(tried) > LEARNED:
            metrics[f"fails_at_{name.lower()}"] = length
            break
        learned[name] = length
    metrics[f"longest_learned_{name.lower()}"] = learned[name]

# %%
padded = {
    name: errors + [float("nan")] * (len(LENGTHS) - len(errors))
    for name, errors in curves.items()
}
figure = plots.curves(
    padded,
    x=LENGTHS,
    xlabel="length of the adding problem (steps)",
    ylabel="squared error, held out",
    baselines={"always 1": 1 / 6, "learned": LEARNED},
    log=True,
)
axes = figure.axes[0]
axes.set_xscale("log")
axes.set_xticks(LENGTHS, [str(length) for length in LENGTHS])
axes.minorticks_off()
run.save(figure, "until_it_fails")
baselines = {"mse_always_1": 1 / 6}
expected = {"fails_at_rnn": "20"}
run.finish(model, metrics, baselines, expected)
