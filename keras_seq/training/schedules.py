"""Learning rates that change with the step.

    Noam:  rate = scale * D^-0.5 * min(step^-0.5, step * warmup^-1.5)

A warm-up and then a cosine is Keras's own:
`keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=rate,
warmup_steps=warmup)`.

Shapes: D width of the model.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 5.3, eq. (3).
"""

import numbers

import keras
from keras import ops

from keras_seq import checks


@keras.saving.register_keras_serializable("keras_seq")
class Noam(keras.optimizers.schedules.LearningRateSchedule):
    """Raise the rate in a line, then let it fall with the root of the step.

    The highest rate, at step `warmup`, is scale * (units * warmup) ** -0.5.

    Args:
        units: int > 0, width D of the model: wider ones take smaller steps.
        warmup: int > 0, how many steps the rate rises. Default 4000.
        scale: float > 0. Default 1.
    Call arguments:
        step: int scalar, 0 at the first step.
    Returns:
        float32 scalar, the learning rate.
    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(self, units, warmup=4000, scale=1.0):
        super().__init__()
        checks.positive_int(units=units, warmup=warmup)
        if not isinstance(scale, numbers.Real) or not scale > 0:
            raise ValueError(f"`scale` must be > 0. Received scale={scale!r}.")
        self.units, self.warmup, self.scale = units, warmup, scale

    def __call__(self, step):
        step = ops.cast(step, "float32") + 1.0
        rising, falling = step * self.warmup**-1.5, ops.rsqrt(step)
        return self.scale * self.units**-0.5 * ops.minimum(rising, falling)

    def get_config(self):
        return {
            "units": self.units,
            "warmup": self.warmup,
            "scale": self.scale,
        }
