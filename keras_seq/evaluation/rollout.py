"""What a deep model looked at in the end: its layers' looks, multiplied.

The weights of a last layer tell from which vectors it took, and each of those
is a mixture already, made by the layers below. Follow it down: half of what a
vector is went around the attention, the other half came through it.

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
    """Follow what each token became down to the tokens that were read.

    Args:
        weights: list for each of L layers, float (B, H, T, T), in [0, 1], as
            models give them with `return_attention_scores=True`.
    Returns:
        float32 numpy (B, T, T): how much of each token's last vector came
        from each token; rows sum to 1 where those of `weights` do. Of a ViT
        with a token in front, `[:, 0, 1:]` tells the patches.
    Raises:
        ValueError: if there is no layer, or one is of another shape.
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
    found = around = np.eye(sides[0])
    for layer in layers:
        found = (layer.mean(axis=1) + around) / 2 @ found
    return found.astype("float32")
