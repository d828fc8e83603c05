"""generate: continue prompts, or translate sources, with any model.

A model is trained on complete texts (teacher forcing): it predicts each token
from the true tokens before it. In generation it reads its own predictions:
autoregressive decoding. `generate` validates the arguments, and runs the
compiled loop of `decoding_loop.py` with a sampler.

    generate(model, prompts, Sampling(temperature=0.8), max_length=40).ids

Shapes: B batch, W beams of a row (1 except in beam search), T prompt length,
    L generated length, S source length.
Paper: none.
Differs from the paper: nothing.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.generation.compiled_loop import compiled_loop
from keras_seq.generation.decoding_loop import Generated
from keras_seq.generation.prompts import (
    check_input_ids,
    check_input_length,
    pad_to_bucket,
)
from keras_seq.generation.samplers import Greedy, Sampler, Sampling

GREEDY = Greedy()


def generate(model, inputs, sampler=GREEDY, *, max_length, end_id=None):
    """Generate tokens after a batch of prompts, or from a batch of sources.

    Several threads may generate from one model at the same time.

    Args:
        model: a built model with `start` and `step`; see
            `AutoregressiveModel`.
        inputs: prompt ids, int (B, T), for a language model; source ids, int
            (B, S), for an encoder-decoder; images, (B, H, W, C), for an
            `ImageCaptioner`.
        sampler: `Greedy(...)`, `Sampling(...)` or `BeamSearch(...)`. Default
            `Greedy()`.
        max_length: int > 0, the largest number of tokens to add, L.
        end_id: optional int, the token that ends a row. It is kept, and
            padding follows (the end token itself if the model has no
            padding). Default None: the model's `end_id`, if it has one.
    Returns:
        `Generated(ids, scores, attention)`, NumPy: int (B, L), float (B,),
        and float (B, L, S) or None.
    Raises:
        ValueError: if an argument is invalid, or the model is not built.
    Example:
        >>> model = keras_seq.models.RecurrentLM(13, 7)
        >>> prompts = np.array([[5, 4, 3], [3, 4, 0]])
        >>> tuple(model(prompts).shape)
        (2, 3, 13)
        >>> generate(model, prompts, max_length=4).ids.shape
        (2, 4)
    """
    max_length = checks.positive_int(max_length=max_length)
    check_generation(model, sampler, end_id)
    inputs = input_arrays(model, inputs, max_length)
    return _generate(model, inputs, sampler, max_length, end_id)


def _generate(model, inputs, sampler, max_length, end_id):
    batch = len(keras.tree.flatten(inputs)[0])
    noise = ops.convert_to_numpy(sampler.draw_noise((batch, max_length)))
    if isinstance(sampler, Sampling):  # one compiled loop for all seeds
        sampler = dataclasses.replace(sampler, seed=None)
    loop = compiled_loop(model, sampler, max_length, end_id)
    padded = inputs
    if loop.jit_compile:  # XLA compiles each length anew
        padded = pad_to_bucket(model, inputs, max_length)
    ids, scores, *attention = loop.run(padded, noise)
    if not attention:
        return Generated(ids, scores)
    (attention,) = attention
    if np.ndim(inputs) == 2:  # without the bucket's padding
        attention = attention[..., : np.shape(inputs)[1]]
    return Generated(ids, scores, attention)


def input_arrays(model, inputs, max_length):
    """Convert the inputs to NumPy, and validate them."""
    if isinstance(inputs, (list, tuple)):
        widths = {np.shape(row) for row in inputs}
        if len(widths) != 1:
            raise ValueError(
                "`inputs` must be rows of one length: pad them. Received rows "
                f"of shapes {sorted(widths)}."
            )
        inputs = np.asarray(inputs)
    inputs = keras.tree.map_structure(np.asarray, inputs)
    check_input_ids(model, keras.tree.flatten(inputs))
    if np.ndim(inputs) == 2:  # a compiled loop may not see the length
        check_input_length(model, inputs.shape[1], max_length)
    return inputs


def check_generation(model, sampler, end_id):
    """Validate the model, the sampler and the end token.

    Args:
        model: must be built, and have `start` and `step`.
        sampler: must be a `Sampler`.
        end_id: an int >= 0, or None.
    Raises:
        ValueError: if one of them is not.
    """
    if not (hasattr(model, "start") and hasattr(model, "step")):
        raise ValueError(
            "`model` must have start(inputs, max_length) and step(ids, "
            f"state). Received model={model!r}."
        )
    checks.built(model)
    if not isinstance(sampler, Sampler):
        raise ValueError(
            "`sampler` must be Greedy(), Sampling(), BeamSearch() or another "
            f"`Sampler`. Received sampler={sampler!r}."
        )
    fields = {field.name for field in dataclasses.fields(sampler)}
    if others := sorted(set(vars(sampler)) - fields):
        raise ValueError(
            "`sampler` must be a dataclass whose options are fields: compiled "
            f"loops are kept by them. Received the attributes {others}."
        )
    if end_id is not None:
        checks.not_negative_int(end_id=end_id)
