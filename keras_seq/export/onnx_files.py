"""export_onnx: a model as an ONNX file, with what it computes on the way.

    export_onnx          ids -> logits, gates and states, attention weights
    export_onnx_decoder  source -> state;  token, state -> logits, new state

ONNX Runtime runs these files in any language, and in a browser. Names and
numbers are those of Python: `trace` and `return_attention_scores=True`.

Shapes: B batch, T length, S source length, U units, H heads, V vocabulary.
"""

import pathlib

import keras
import numpy as np

from keras_seq import checks
from keras_seq.export.half_precision import halve_weights, share_weights
from keras_seq.export.internals import call_internals, step_internals
from keras_seq.export.saved_model import replacing
from keras_seq.export.validation import check_float32_on_tensorflow
from keras_seq.models import (
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    RecurrentLM,
    Seq2Seq,
)

DECODERS = RecurrentLM, Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq


class TensorFunction(keras.Model):
    """Give a function of tensors the `export` of a Keras model."""

    def __init__(self, model, function):
        super().__init__(dtype="float32")
        self.model, self.function = model, function

    def call(self, inputs):
        return self.function(inputs)


def write_onnx(path, model, function, signature, *, half=True):
    """Write a function of tensors as an ONNX file.

    Args:
        path: str or Path, ending in .onnx.
        model: a built `keras.Model`, whose weights the function reads.
        function: takes a dict of tensors and returns a dict of tensors, in
            `keras.ops`.
        signature: dict of `keras.InputSpec`, by the names of the inputs.
        half: bool, store weights in float16; it computes in float32 either
            way. Default True.
    Raises:
        ValueError: if the backend is not TensorFlow, the model is not built
            or not in float32, or `path` does not end in .onnx.
    Example:
        >>> from keras_seq.export import write_onnx
        >>> write_onnx(
        ...     "states.onnx",
        ...     model,
        ...     lambda inputs: {"states": model.states(inputs["ids"])},
        ...     {"ids": keras.InputSpec(shape=(None, None), dtype="int32")},
        ... )  # doctest: +SKIP
    """
    checks.built(model)
    checks.boolean(half=half)
    check_float32_on_tensorflow(model, "onnx")
    if pathlib.Path(path).suffix != ".onnx":
        raise ValueError(
            f"`path` must end in .onnx. Received path={str(path)!r}."
        )
    wrapper, specs = _as_model(model, function, signature)
    with replacing(path) as new:
        wrapper.export(
            str(new), format="onnx", input_signature=[specs], verbose=False
        )
        _store_weights_once(new, half)


def _as_model(model, function, signature):
    """Return a model that computes the function, called once, and its specs."""
    names = list(signature)
    specs = [
        keras.InputSpec(shape=spec.shape, dtype=spec.dtype, name=name)
        for name, spec in signature.items()
    ]
    wrapper = TensorFunction(model, lambda x: function(dict(zip(names, x))))
    wrapper([np.ones([n or 2 for n in s.shape], s.dtype) for s in specs])
    return wrapper, specs


def _store_weights_once(path, half):
    """Write a file again, each weight once, and in float16 if `half`."""
    import onnx

    written = onnx.load(str(path))
    share_weights(written.graph)
    if half:
        halve_weights(written.graph)
    onnx.save(written, str(path))


def export_onnx(model, path, *, half=True):
    """Write a model as an ONNX file, with its inner values as outputs.

    Every model of this library has an output `logits` (of `BERT`:
    `sequence_output` and `pooled_output`). In addition:

    - `RecurrentLM`: `layer_0.forget_gate`, `layer_0.cell_state`, ..., float
      (B, T, U), all that `trace` returns, of each layer.
    - `GPT`, `BERT`, `ViT`: `attention_0`, ..., float (B, H, T, T), of each
      block.
    - `Transformer`: `encoder_attention_0`, `decoder_attention_0` and
      `cross_attention_0`, ..., of each block.
    - `BahdanauSeq2Seq`, `LuongSeq2Seq`: `attention`, float (B, T, S).

    Args:
        model: a built model of this library, on the TensorFlow backend.
        path: str or Path, ending in .onnx.
        half: bool, store weights in float16; it computes in float32 either
            way. Default True.
    Raises:
        ValueError: as `write_onnx`.
    Example:
        >>> from keras_seq.export import export_onnx
        >>> from keras_seq.models import GPT
        >>> gpt = GPT(13, 8, num_heads=2, num_layers=1)
        >>> gpt.build()
        >>> export_onnx(gpt, "gpt.onnx")  # doctest: +SKIP
    """
    checks.built(model)
    signature = model.input_signature()
    if not isinstance(signature, dict):
        images = len(signature.shape) == 4
        signature = {"images" if images else "ids": signature}

    def function(inputs):
        (value,) = inputs.values() if len(inputs) == 1 else (inputs,)
        return call_internals(model, value)

    write_onnx(path, model, function, signature, half=half)


def export_onnx_decoder(model, folder, *, half=True):
    """Write the two functions of autoregressive decoding as ONNX files.

    `start.onnx` has the input `source`, int (B, S), and returns `ids`, int
    (B,), the first token to read, and the state: `state_...`, a tensor for each
    of its parts. `step.onnx` reads `ids` and the state, and returns `logits`,
    float (B, V), and `new_state_...` of the parts that change. Of a decoder
    with attention it returns `scores` and `attention`, float (B, S), before
    and after the softmax, and `context`, float (B, M), as well.

    Args:
        model: a built `RecurrentLM`, `Seq2Seq`, `BahdanauSeq2Seq` or
            `LuongSeq2Seq`. (The key-value cache of a Transformer is written
            in place, which ONNX has no operation for: use `export_onnx`.)
        folder: str or Path, is created.
        half: bool, store weights in float16. Default True.
    Returns:
        list of str, the names of the state that `step` reads.
    Raises:
        ValueError: as `write_onnx`, or if the model is another.
    Example:
        >>> from keras_seq.export import export_onnx_decoder
        >>> export_onnx_decoder(translator, "dates")  # doctest: +SKIP
    """
    _check_recurrent(model)
    checks.built(model)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ids = keras.InputSpec(shape=(None, None), dtype="int32")

    def start(inputs):
        first, state = model.start(inputs["source"])
        return {"ids": first, **named_state(state)}

    write_onnx(folder / "start.onnx", model, start, {"source": ids}, half=half)
    step, signature = _decoding_step(model)
    token = {"ids": keras.InputSpec(shape=(None,), dtype="int32")}
    write_onnx(folder / "step.onnx", model, step, token | signature, half=half)
    return list(signature)


def _check_recurrent(model):
    """Raise a ValueError unless the decoder of a model is recurrent."""
    if not isinstance(model, DECODERS):
        names = ", ".join(kind.__name__ for kind in DECODERS)
        raise ValueError(
            f"`model` must be one of {names}. Received model={model!r}."
        )


def _decoding_step(model):
    """Return the function of step.onnx and a spec of each part of its state."""
    signature, structure = _state_signature(model)

    def step(inputs):
        leaves = [inputs[name] for name in signature]
        state = keras.tree.pack_sequence_as(structure, leaves)
        found, new = step_internals(model, inputs["ids"], state)
        changed = {
            f"new_{name}": leaf
            for name, leaf in named_state(new).items()
            if not any(leaf is same for same in leaves)
        }
        return {**found, **changed}

    return step, signature


def named_state(state):
    """Return the tensors of a state by names, as in "state_cells_0_1"."""
    return {
        "_".join(map(str, ("state", *path))): leaf
        for path, leaf in keras.tree.flatten_with_path(state)
    }


def _state_signature(model):
    """Return a spec of each tensor of the state, and the state's structure.

    An axis that differs between two batches of sources has any length.
    """
    first, second = (
        model.start(np.ones(shape, "int32"))[1] for shape in ((2, 5), (3, 7))
    )
    other = named_state(second)
    found = {}
    for name, leaf in named_state(first).items():
        pairs = zip(leaf.shape, other[name].shape)
        shape = [n if n == m else None for n, m in pairs]
        dtype = keras.backend.standardize_dtype(leaf.dtype)
        found[name] = keras.InputSpec(shape=shape, dtype=dtype)
    return found, first
