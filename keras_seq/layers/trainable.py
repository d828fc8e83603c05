"""Freeze a layer that was told so before it had layers of its own.

Keras hands `trainable=False` on to the layers that are there when it is said.
To one that is loaded or copied it is said first.
"""

import functools


def keeps_frozen(build):
    """Decorate `build`: after it, what is frozen is so in all its parts."""

    @functools.wraps(build)
    def built(self, *args, **kwargs):
        build(self, *args, **kwargs)
        if not self.trainable:
            self.trainable = True  # (TensorFlow skips what changes nothing.)
            self.trainable = False

    return built
