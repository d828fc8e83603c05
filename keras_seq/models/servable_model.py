"""ServableModel: a `keras.Model` with checked ids, LoRA and export.

`model.quantize("int8")` replaces the float kernels of a model's dense layers by
int8 kernels and float scales. Keras saves them, but recreates a subclassed
model with float kernels, so loading fails with "objects could not be loaded". A
`ServableModel` saves which of its layers are quantized, and quantizes the same
layers before its weights are loaded.

`model.export(path)` writes a function of the model's input. For a subclassed
model Keras declares float inputs of the length of the first call. A
`ServableModel` exports int32 ids of any number and any length.

    kernel ~ kernel_int8 / kernel_scale           # one scale for each column

`model.fit` validates ids and labels in NumPy arrays (of a `PyDataset`, the
first batch): compiled code cannot, and JAX computes with an invalid id.

`model.enable_lora(rank)` freezes the weights and adds to some kernels a product
of two narrow matrices, which alone are trained: low-rank adaptation. The change
that fine-tuning makes to a kernel is well approximated by a product of this
kind. It starts at zero, and is added to the kernel when the model is saved.

    kernel + A B,  A (D, rank), B (rank, K)       # A random, B = 0 at first

Shapes: those of the model.
Paper: LoRA: Hu et al. (2022), arXiv:2106.09685, eq. (3).
Differs from the paper: each head has an A of its own, as in Keras.
"""

import re
import typing

import keras
import numpy as np

from keras_seq import checks

SOURCE_AND_TARGET = {"source": "(B, S)", "target": "(B, T)"}
# For each size in a config: the inputs and labels that must be below it.
LIMITED = {
    "vocabulary_size": ("x", "token_ids", "y"),
    "source_vocabulary_size": ("source",),
    "target_vocabulary_size": ("target", "y"),
    "num_segments": ("segment_ids",),
    "num_classes": ("y",),
}


# Layers that `enable_lora` may adapt, whether a model has them or not.
ADAPTED = (
    *("query", "key", "value", "attention_output", "intermediate_dense"),
    *("output_dense", "token_embedding"),
)


class ServableModel(keras.Model):
    """Quantize, adapt by LoRA, save and export a model.

    The class is used as `keras.Model` is: subclass it and write `build`,
    `call` and `get_config`. All layers must exist after `build`. A model whose
    input is a dict of ids names their shapes in `input_shapes`, as in
    `{"source": "(B, S)", "target": "(B, T)"}`; one whose input is not ids
    overrides `input_signature`.

    Args:
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.

    Example:
        >>> model = RecurrentLM(13, 8)
        >>> model.build((2, 3))
        >>> model.quantize("int8", filters="dense")
        >>> again = RecurrentLM.from_config(model.get_config())
        >>> again.build_from_config(model.get_build_config())
        >>> again.head.quantization_mode
        'int8'
        >>> model.input_signature().shape, model.input_signature().dtype
        ((None, None), 'int32')
    """

    input_shapes: typing.ClassVar = {}  # of each key, if the input is a dict

    def input_signature(self):
        """Return the input that `export` declares: int32 ids (B, T).

        Returns:
            `keras.InputSpec`, or a dict of one for each key of `input_shapes`.
        """
        ids = keras.InputSpec(shape=(None, None), dtype="int32")
        return dict.fromkeys(self.input_shapes, ids) or ids

    def id_limits(self):
        """Return for each input and for the labels, `y`, the number of ids."""
        config = self.get_config()
        return {
            name: config[size]
            for size, names in LIMITED.items()
            if size in config
            for name in names
        }

    def fit(self, x=None, y=None, *args, **kwargs):
        first = x[0] if isinstance(x, keras.utils.PyDataset) else (x, y)
        check_ids(self, *first[:2])
        self._build_optimizer()
        return super().fit(x, y, *args, **kwargs)

    def _build_optimizer(self):
        """Create the optimizer's variables, if all weights are there.

        TensorFlow traces a training step twice if the first trace creates
        variables. On other backends Keras's `fit` does the same as here.
        """
        if keras.backend.backend() != "tensorflow" or self.optimizer is None:
            return
        if all(layer.built for layer in self._flatten_layers()):
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def export(
        self,
        filepath,
        format="tf_saved_model",
        verbose=None,
        input_signature=None,
        **kwargs,
    ):
        checks.built(self)
        if input_signature is None:
            input_signature = [self.input_signature()]
            on_jax = keras.backend.backend() == "jax"
            if on_jax and format == "tf_saved_model":
                kwargs.setdefault("jax2tf_kwargs", self._jax2tf_kwargs())
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def _jax2tf_kwargs(self):
        """Return the arguments that Keras passes to `jax2tf.convert` on JAX.

        Gradients are left out: a served function needs none, and JAX has no
        gradient of a strided pooling of images of unknown size.
        """
        settings = {"with_gradient": False}
        if self.input_shapes:  # Keras would give each input a T of its own
            settings["polymorphic_shapes"] = [dict(self.input_shapes)]
        return settings

    def enable_lora(self, rank, target_layer_names=("query", "value")):
        """Freeze the model, and train a low-rank change of some kernels.

        A head outside the model stays trainable: `classifier.bert.enable_lora(
        8)` trains the head of the classifier too. Compile the model afterwards.

        Args:
            rank: int > 0, the width of A and the height of B.
            target_layer_names: list of str, the names of the layers to adapt:
                "query", "key", "value" and "attention_output" of attention,
                "intermediate_dense" and "output_dense" of a feed-forward
                network, "token_embedding". Default: query and value.
        Raises:
            ValueError: if `rank` is not an int > 0, the model is not built or
                is adapted already, or a name is unknown or none is found.
        Example:
            >>> model = keras_seq.models.GPT(13, 8, num_heads=2, num_layers=1)
            >>> model.build((None, None))
            >>> model.enable_lora(rank=2)
            >>> [w.path.split("/")[-2:] for w in model.trainable_variables][:2]
            [['query', 'lora_kernel_a'], ['query', 'lora_kernel_b']]
        """
        checks.positive_int(rank=rank)
        checks.built(self)
        layers = self._layers_to_adapt(target_layer_names)
        for variable in self.trainable_variables:
            variable.trainable = False
        for layer in layers:
            layer.enable_lora(rank)

    def _layers_to_adapt(self, names):
        """Return the layers of these names, without a number at the end."""
        every = [
            layer
            for layer in self._flatten_layers(include_self=False)
            if hasattr(layer, "enable_lora")
        ]
        found = [re.sub(r"_\d+$", "", layer.name) for layer in every]
        layers = [x for x, name in zip(every, found) if name in names]
        unknown = set(names) - {*found, *ADAPTED}
        if isinstance(names, str) or not layers or unknown:
            raise ValueError(
                "`target_layer_names` must be a list of names of dense layers "
                "or embeddings of the model. Received target_layer_names="
                f"{names!r}."
            )
        if any(layer.lora_enabled for layer in every):
            raise ValueError(
                "`enable_lora` must be called once. Received a model whose "
                "layers are adapted already."
            )
        return layers

    def get_build_config(self):
        config = super().get_build_config()
        quantized = [
            _quantization(layer)
            for layer in self._flatten_layers(include_self=False)
        ]
        if not any(quantized):
            return config
        return {**config, "quantization": quantized}

    def build_from_config(self, config):
        config = dict(config or {})
        quantized = config.pop("quantization", None)
        super().build_from_config(config)
        if quantized is None:
            return
        layers = self._flatten_layers(include_self=False)
        for layer, saved in zip(layers, quantized, strict=True):
            # A model inside this one has restored its own layers already.
            if saved and layer.quantization_mode is None:
                layer.quantize(
                    saved["mode"],
                    config=keras.saving.deserialize_keras_object(
                        saved["config"]
                    ),
                )


def check_ids(model, x, y):
    """Raise a ValueError for an id or a label of an array that is too large."""
    arrays = {**(x if isinstance(x, dict) else {"x": x}), "y": y}
    ignored = [
        getattr(model.loss, name, None) for name in ("pad_id", "ignore_class")
    ]
    for name, limit in model.id_limits().items():
        ids = arrays.get(name)
        if not isinstance(ids, np.ndarray) or ids.dtype.kind not in "iu":
            continue
        if name == "y":
            ids = ids[~np.isin(ids, [i for i in ignored if i is not None])]
        checks.ids(limit, **{name: ids})


def _quantization(layer):
    """Return how a layer is quantized: a dict for JSON, or None."""
    if layer.quantization_mode is None:
        return None
    config = getattr(layer, "quantization_config", None)
    return {
        "mode": layer.quantization_mode,
        "config": keras.saving.serialize_keras_object(config),
    }
