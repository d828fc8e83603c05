"""Initial values of the small GPT and BERT."""

import numpy as np
from keras import ops

from keras_seq.layers import sinusoidal_positions


def attend_near(model, network):
    """Set initial values with which a token attends to its neighbors.

    As in lesson 10, but only the embeddings are scaled, not the kernels. The
    positions are sinusoidal, and the key matrix is a copy of the query matrix.

    Args:
        model: `GPT` or `BERTPretrainer`, built; its weights are replaced.
        network: the `GPT` itself, or the `BERT` in the pretrainer.
    """
    table = network.token_embedding.embeddings
    scale = table.shape[1] ** -0.5 / np.std(ops.convert_to_numpy(table))
    for weight in model.weights:
        if weight.path.endswith("embeddings"):
            weight.assign(scale * weight)
    positions = network.position_embedding.embeddings
    length, width = positions.shape
    waves = sinusoidal_positions(ops.arange(length), width, max_wavelength=10)
    positions.assign(0.2 * waves)
    for block in network.blocks:
        attention = block.self_attention
        attention.key_dense.kernel.assign(attention.query_dense.kernel)
