"""A layer as two functions to time: a forward pass and a training step.

A training step is forward, the mean square of all outputs as the loss,
backward through the whole layer, and w -= rate * dw. There is no model, no
metric and no data set around the layer, and on TensorFlow and JAX the step is
one compiled function: `train_on_batch` would add the same milliseconds of
Python to each library, which moves every ratio closer to 1. PyTorch runs
eagerly, its usual mode.

    ours = of_keras(layer, x)
    ours.forward(), ours.step()
"""

import collections
import typing

import keras
import numpy as np

from benchmarks import report
from keras_seq.evaluation import median_ratio, time_interleaved

RATE = 0.01


class Contender(typing.NamedTuple):
    """Two functions without arguments that return when their work is done."""

    forward: typing.Callable  # -> float, the layer's output
    step: typing.Callable  # one training step; changes the layer's weights
    threads: int | None = None  # PyTorch's, see `quicker_threads`


MODES = {"training step": "step", "inference": "forward"}


def race(make, peers, rounds, builds):
    """Time the training step and the forward pass of several contenders.

    Args:
        make: as in `turns`, with "keras_seq" among the names.
        peers: names of the contenders that ours is compared with.
        rounds: as in `turns`.
        builds: as in `turns`.
    Returns:
        list of two dicts: `mode, builds, seconds{name: summary},
        ratio{peer: float}`, ours over theirs.
    """
    return [
        {
            "mode": mode,
            "builds": builds,
            "seconds": {n: report.summary(s) for n, s in each.items()},
            "ratio": {
                p: median_ratio(each["keras_seq"], each[p]) for p in peers
            },
        }
        for mode, each in turns(make, rounds, builds).items()
    ]


def turns(make, rounds, builds, modes=MODES):
    """Time several contenders in turns, built several times.

    The speed of a compiled function can differ by a fifth from one compilation
    to the next. All are therefore built several times, and timed each time.

    Args:
        make: function of an int, the build, to a dict of name to Contender.
        rounds: int > 0, how often each is timed, all builds together.
        builds: int > 0, how often all are made.
        modes: dict of name to the part of a Contender. Default `MODES`.
    Returns:
        dict of mode to a dict of name to seconds, a list.
    """
    seconds = {mode: collections.defaultdict(list) for mode in modes}
    for build in range(builds):
        found = make(build)
        for mode, part in modes.items():
            calls = {name: getattr(c, part) for name, c in found.items()}
            timed = time_interleaved(
                calls, -(-rounds // builds), warmup=2, seed=build
            )
            for name, more in timed.items():
                seconds[mode][name] += more
    return seconds


def matmul_rate(dtype, size):
    """Return the operations per second of one large matrix product.

    Args:
        dtype: str, "float32" or "bfloat16".
        size: int > 0, of the two square matrices.
    """
    a = keras.random.normal((size, size), dtype=dtype)

    def product():
        return float(keras.ops.max(a @ a))

    if keras.backend.backend() == "torch":
        product = with_threads(report.cores(), product)
    seconds = time_interleaved({"": product}, rounds=5, warmup=2)[""]
    return 2 * size**3 / report.summary(seconds)["median"]


def of_keras(layer, x):
    """Make a contender of a built Keras layer, on the backend that runs.

    Args:
        layer: a built `keras.layers.Layer` with one output.
        x: float array, the input.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _of_tensorflow(layer, x)
    if backend == "jax":
        return _of_jax(layer, x)
    weights = [v.value for v in layer.trainable_variables]
    return of_torch(layer, weights, x)


def _of_tensorflow(layer, x):
    """Compile both functions with `tf.function`."""
    import tensorflow as tf

    weights = [v.value for v in layer.trainable_variables]

    @tf.function
    def forward(x):
        return layer(x)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer(x, training=True) ** 2)
        for w, dw in zip(weights, tape.gradient(loss, weights)):
            # (The gradient of an embedding is a set of slices.)
            w.assign_sub(RATE * tf.convert_to_tensor(dw))
        return loss

    x = tf.constant(x)
    return Contender(lambda: forward(x).numpy(), lambda: step(x).numpy())


def _of_jax(layer, x):
    """Compile both functions with `jax.jit`."""
    import jax

    frozen = [v.value for v in layer.non_trainable_variables]
    weights = [v.value for v in layer.trainable_variables]

    def outputs(weights, x, training):
        return layer.stateless_call(weights, frozen, x, training=training)[0]

    @jax.jit
    def forward(weights, x):
        return outputs(weights, x, False)

    @jax.jit
    def update(weights, x):
        def loss(weights):
            return (outputs(weights, x, True) ** 2).mean()

        found = jax.grad(loss)(weights)
        return [w - RATE * dw for w, dw in zip(weights, found)]

    def step():
        nonlocal weights
        weights = jax.block_until_ready(update(weights, x))

    x = jax.numpy.asarray(x)
    return Contender(lambda: jax.block_until_ready(forward(weights, x)), step)


def torch_device():
    """Return the device for a peer on PyTorch: the one that Keras uses."""
    return "cuda" if report.accelerator() else "cpu"


def of_torch(call, weights, x):
    """Wrap a PyTorch module, or a Keras layer on the PyTorch backend.

    Args:
        call: function of the input to the output.
        weights: list of the tensors to train.
        x: float array, the input.
    """
    import torch

    x = torch.as_tensor(x, device=weights[0].device)

    @torch.no_grad()
    def forward():
        return call(x).cpu()

    def gradients():
        return torch.autograd.grad((call(x) ** 2).mean(), weights)

    @torch.no_grad()
    def step():
        with torch.enable_grad():
            found = gradients()
        for w, dw in zip(weights, found):
            w -= RATE * dw
        weights[0].cpu()  # waits, where the layer is on a device

    threads = quicker_threads(gradients)
    return Contender(
        with_threads(threads, forward), with_threads(threads, step), threads
    )


def of_model(model, x, *y):
    """Make a contender of a compiled Keras model, stepped as `fit` does.

    For a whole model of many milliseconds: the time of Python is negligible.

    Args:
        model: a built and compiled `keras.Model`.
        x: its inputs, NumPy arrays.
        y: its targets and, if it needs them, the weights of these.
    Returns:
        Contender, whose `forward` gives all outputs in one row.
    """

    def forward():
        found = keras.tree.flatten(model(x))
        found = [keras.ops.cast(part, "float32") for part in found]
        rows = [keras.ops.convert_to_numpy(part).ravel() for part in found]
        return np.concatenate(rows)

    def step():
        return model.train_on_batch(x, *y)

    if keras.backend.backend() != "torch":
        return Contender(forward, step)
    threads = quicker_threads(forward)  # a step would change the weights
    return Contender(
        with_threads(threads, forward), with_threads(threads, step), threads
    )


def quicker_threads(work):
    """Return the number of threads, 1 or all, with which PyTorch is faster.

    A recurrent layer is many small products, and on a busy machine waiting
    for a second thread can make them a hundred times slower.
    """
    counts = {1, report.cores()}
    works = {n: with_threads(n, work) for n in counts}
    seconds = time_interleaved(works, rounds=3, warmup=1)
    return min(counts, key=lambda n: report.summary(seconds[n])["median"])


def with_threads(threads, work):
    """Return a function that sets PyTorch's threads, then does the work."""
    import torch

    def run():
        torch.set_num_threads(threads)
        return work()

    return run
