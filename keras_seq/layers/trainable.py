"""Freeze the sublayers of a layer that was frozen before it had any.

Keras hands `trainable = False` on to the sublayers that exist at that moment.
A layer that is loaded, or made from its config, is frozen first and gets its
sublayers' weights later.
"""


def propagate_trainable(layer):
    """Freeze all sublayers of a frozen layer; call it at the end of `build`.

    Args:
        layer: `keras.layers.Layer`, whose sublayers are built.
    """
    if not layer.trainable:
        layer.trainable = True  # (TensorFlow skips what changes nothing.)
        layer.trainable = False
