"""Learning rates that change with the step.

    Noam:  rate = scale * D^-0.5 * min(step^-0.5, step * warmup^-1.5)

    warm-up, then cosine:  rate * step / warmup, then
        rate / 2 * (1 + cos(pi (step - warmup) / (steps - warmup)))

Shapes: D width of the model.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 5.3, eq. (3);
    cosine: Loshchilov & Hutter (2017), arXiv:1608.03983, eq. (5).
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


def warmup_cosine(rate, steps, warmup=0):
    """Raise the rate in a line, then let it fall along a cosine to 0.

    Args:
        rate: float > 0, the highest.
        steps: int > 0, of the whole training.
        warmup: int >= 0, how many of them the rate rises. Default 0: it
            begins at the highest.
    Returns:
        Keras's `CosineDecay`, which counts its own steps after the warm-up.
    Raises:
        ValueError: if an argument is outside its range.
    """
    checks.positive_int(steps=steps)
    checks.not_negative_int(warmup=warmup)
    if not isinstance(rate, numbers.Real) or not rate > 0 or warmup >= steps:
        raise ValueError(
            "`rate` must be > 0 and `warmup` below `steps`. Received "
            f"rate={rate!r}, warmup={warmup}, steps={steps}."
        )
    cosine = keras.optimizers.schedules.CosineDecay
    if not warmup:
        return cosine(rate, steps)
    return cosine(0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup)
