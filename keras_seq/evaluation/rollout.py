"""Attention rollout: the attention of all layers, multiplied.

The attention weights of the last layer refer to its inputs, and each of these
is already a mixture of the tokens, made by the layers below. Attention rollout
multiplies the layers. The identity stands for the residual connection, which
is assumed to carry half of each vector:

    A_l     = (mean_h weights_l + I) / 2
    rollout = A_L ... A_2 A_1

Shapes: B batch, H heads, T tokens, L layers.
Paper: Abnar & Zuidema (2020), arXiv:2005.00928, section 3, eq. (1); of images:
    Dosovitskiy et al. (2021), arXiv:2010.11929, appendix D.8.
Differs from the paper: nothing.
"""

import numpy as np
from keras import ops


def attention_rollout(weights):
    """Compute how much each output vector depends on each input token.

    Args:
        weights: list of L float (B, H, T, T), in [0, 1], the attention weights
            of each layer, as models return them with
            `return_attention_scores=True`.
    Returns:
        float32 numpy (B, T, T), the share of each input token in each output
        vector; rows sum to 1 if the rows of `weights` do. For a ViT with a
        class token, `[:, 0, 1:]` are the shares of the patches.
    Raises:
        ValueError: if there is no layer, or the shapes differ.
    Example:
        >>> uniform = np.full((1, 2, 3, 3), 1 / 3)
        >>> attention_rollout([uniform, uniform]).sum(-1).round(3).tolist()
        [[1.0, 1.0, 1.0]]
    """
    layers = [
        ops.convert_to_numpy(ops.cast(layer, "float32")) for layer in weights
    ]
    shapes = {layer.shape for layer in layers}
    sides = shapes.pop()[2:] if len(shapes) == 1 else ()
    if len(sides) != 2 or sides[0] != sides[1]:
        raise ValueError(
            "`weights` must be one or more layers, (B, H, T, T) each. Received "
            f"layers of shape {[layer.shape for layer in layers]}."
        )
    found = identity = np.eye(sides[0])
    for layer in layers:
        found = (layer.mean(axis=1) + identity) / 2 @ found
    return found.astype("float32")
