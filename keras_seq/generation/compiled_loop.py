"""GenerationModel: the decoding loop, compiled once for each setting.

`keras.Model.predict_on_batch` compiles on TensorFlow and on JAX, so the loop
is wrapped in a model. The weights of the generating model are inputs of the
compiled function, together with the prompts:

    ids, scores = compiled(prompts, noise, weights)  # noise: to draw from

This has three consequences. New weights are used at once. On JAX the memory of
the weights is not donated to the function, which could overwrite it (that of a
model's own weights is), so other threads may read them at the same time. And
the wrapper holds a weak reference to the model, which does not keep it alive.

Shapes: B batch, L generated length.
Paper: none.
Differs from the paper: nothing.
"""

import threading
import weakref

import keras

from keras_seq.generation.decoding_loop import decode

KEPT = 8  # compiled loops of a model: samplers times lengths


class GenerationModel(keras.Model):
    """Wrap the decoding loop of one model, so that Keras compiles it.

    Args:
        model: a built `AutoregressiveModel`; only a weak reference is kept.
        settings: the arguments of `decode` after `noise`.
    Call arguments:
        data: dict of "inputs", the prompts or sources; "noise", float32
            (B, L); and "weights", the values of `model.variables`.
    Returns:
        List of ids, scores and, if the model has attention, attention.
    """

    def __init__(self, model, *settings):
        # No autocast: the weights must keep the precision that they have.
        super().__init__(name="generation", dtype="float32", autocast=False)
        self.supports_jit = supports_jit(model)
        self.model_reference = weakref.ref(model)
        self.settings = settings
        self.lock = threading.Lock()
        self.built = True

    def call(self, data):
        model = self.model_reference()
        weights = zip(model.variables, data["weights"])
        with keras.StatelessScope(state_mapping=weights):
            found = decode(model, data["inputs"], data["noise"], *self.settings)
        return [x for x in found if x is not None]

    def run(self, inputs, noise):
        """Generate: NumPy inputs and noise -> NumPy ids, scores, attention."""
        variables = self.model_reference().variables
        data = {
            "inputs": inputs,
            "noise": noise,
            "weights": [variable.value for variable in variables],
        }
        with self.lock:  # Keras keeps the state of a prediction on the model
            return self.predict_on_batch(data)


class CompiledLoops:
    """Keep the compiled loops of one model, the latest `KEPT` settings."""

    def __init__(self):
        self.loops = {}
        self.lock = threading.Lock()

    def get(self, model, settings):
        """Return the `GenerationModel` of these settings."""
        with self.lock:
            loop = self.loops.pop(settings, None)
            loop = loop or GenerationModel(model, *settings)
            self.loops[settings] = loop  # the latest stands last
            if len(self.loops) > KEPT:
                del self.loops[next(iter(self.loops))]
            return loop


LOOPS = weakref.WeakKeyDictionary()  # of each model
LOOPS_LOCK = threading.Lock()


def compiled_loop(model, *settings):
    """Return the compiled loop of a model, making it at the first call.

    Args:
        model: a built `AutoregressiveModel`.
        settings: the arguments of `decode` after `noise`; hashable.
    Returns:
        `GenerationModel`.
    """
    with LOOPS_LOCK:
        loops = LOOPS.setdefault(model, CompiledLoops())
    return loops.get(model, settings)


def supports_jit(layer):
    """Return whether XLA can compile a layer and the layers in it."""
    sublayers = getattr(layer, "layers", ())
    return getattr(layer, "supports_jit", True) and all(
        supports_jit(sublayer) for sublayer in sublayers
    )
