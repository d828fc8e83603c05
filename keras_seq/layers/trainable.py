"""Frozen layers: apply `trainable = False` to sublayers built later.

When `trainable = False` is set on a layer, Keras sets it on the sublayers and
weights that exist at that moment. A layer that is loaded or created from its
config is frozen first; its sublayers' weights are created later.
"""


def propagate_trainable(layer):
    """Freeze all sublayers of a frozen layer; call it at the end of `build`.

    Args:
        layer: `keras.layers.Layer` with built sublayers.
    Example:
        >>> from keras_seq.layers.trainable import propagate_trainable
        >>> model = keras.Sequential([keras.layers.Dense(2)])
        >>> model.trainable = False
        >>> model.build((None, 3))
        >>> propagate_trainable(model)
        >>> [w.trainable for w in model.weights]
        [False, False]
    """
    if not layer.trainable:
        layer.trainable = True  # TensorFlow ignores an unchanged value
        layer.trainable = False
