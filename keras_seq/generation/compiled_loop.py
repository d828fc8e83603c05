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

MAX_LOOPS = 8  # compiled loops kept for each model


class GenerationModel(keras.Model):
    """Wrap the decoding loop of one or several models: Keras compiles it.

    Args:
        loop: function of the models, the inputs and the settings, such as
            `decode`. It returns a tuple of tensors and None.
        models: list of built models; only weak references are kept.
        settings: the other arguments of `loop`.
    Call arguments:
        data: dict of "inputs", a list of tensors, such as the prompts and the
            noise; and "weights", the values of the variables of all models.
    Returns:
        List of the tensors that `loop` returned, such as ids and scores.
    """

    def __init__(self, loop, models, settings):
        # No autocast: the weights must keep the precision that they have.
        super().__init__(name="generation", dtype="float32", autocast=False)
        self.supports_jit = all(supports_jit(model) for model in models)
        self.model_references = [weakref.ref(model) for model in models]
        self.loop, self.settings = loop, settings
        self.lock = threading.Lock()
        self.built = True

    def call(self, data):
        models = [reference() for reference in self.model_references]
        weights = zip(_variables(models), data["weights"])
        with keras.StatelessScope(state_mapping=weights):
            found = self.loop(*models, *data["inputs"], *self.settings)
        return [x for x in found if x is not None]

    def run(self, *inputs):
        """Generate: NumPy inputs -> NumPy arrays, those that `loop` returns."""
        models = [reference() for reference in self.model_references]
        data = {
            "inputs": list(inputs),
            "weights": [variable.value for variable in _variables(models)],
        }
        with self.lock:  # Keras keeps the state of a prediction on the model
            return self.predict_on_batch(data)


def _variables(models):
    return [variable for model in models for variable in model.variables]


class CompiledLoops:
    """Keep the compiled loops of one model, the latest `MAX_LOOPS` settings."""

    def __init__(self):
        self.loops = {}
        self.lock = threading.Lock()

    def get(self, loop, models, settings):
        """Return the `GenerationModel` of these settings."""
        # The first model is that of this object.
        key = (loop, settings, *map(weakref.ref, models[1:]))
        with self.lock:
            found = self.loops.pop(key, None)
            found = found or GenerationModel(loop, models, settings)
            self.loops[key] = found  # the latest stands last
            if len(self.loops) > MAX_LOOPS:
                del self.loops[next(iter(self.loops))]
            return found


LOOPS = weakref.WeakKeyDictionary()  # of each model
LOOPS_LOCK = threading.Lock()


def compiled_loop(model, *settings, loop=decode, draft_model=None):
    """Return the compiled loop of a model, making it at the first call.

    Args:
        model: a built `AutoregressiveModel`.
        settings: the last arguments of `loop`; hashable.
        loop: function to compile, of the models, the inputs and the settings.
            Default `decode`.
        draft_model: optional model, the second argument of `loop`. Default
            None: it has only one.
    Returns:
        `GenerationModel`.
    """
    models = [model] if draft_model is None else [model, draft_model]
    with LOOPS_LOCK:
        loops = LOOPS.setdefault(model, CompiledLoops())
    return loops.get(loop, models, settings)


def supports_jit(layer):
    """Return whether XLA can compile a layer and the layers in it."""
    sublayers = getattr(layer, "layers", ())
    return getattr(layer, "supports_jit", True) and all(
        supports_jit(sublayer) for sublayer in sublayers
    )
