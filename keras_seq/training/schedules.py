"""Learning rate schedules with a linear warmup.

    Noam:           rate = scale * D^-0.5 * min(step^-0.5, step * warmup^-1.5)

    cosine decay:   rate * step / warmup              while step < warmup, then
                    rate / 2 * (1 + cos(pi (step - warmup) / (total - warmup)))

Shapes: D width of the model.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 5.3, eq. (3);
    cosine: Loshchilov & Hutter (2017), arXiv:1608.03983, eq. (5).
"""

import numbers

import keras
from keras import ops

from keras_seq import checks


@keras.saving.register_keras_serializable("keras_seq")
class NoamDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Increase the rate linearly, then decay it with the inverse square root.

    The rate is highest at step `warmup_steps`, where it is
    scale * (hidden_dim * warmup_steps) ** -0.5.

    Args:
        hidden_dim: int > 0, width D of the model: a wider model gets a lower
            rate.
        warmup_steps: int > 0, number of steps with a rising rate. Default 4000.
        scale: float > 0, multiplies the rate. Default 1.
    Call arguments:
        step: int scalar, 0 at the first step.
    Returns:
        float32 scalar, the learning rate.
    Raises:
        ValueError: if an argument is outside its range.
    Example:
        >>> schedule = NoamDecay(hidden_dim=512, warmup_steps=4000)
        >>> rates = [float(schedule(step)) for step in (0, 3999, 100_000)]
        >>> [round(rate, 6) for rate in rates]
        [0.0, 0.000699, 0.00014]
    """

    def __init__(self, hidden_dim, warmup_steps=4000, scale=1.0):
        super().__init__()
        checks.positive_int(hidden_dim=hidden_dim, warmup_steps=warmup_steps)
        checks.positive(scale=scale)
        self.hidden_dim, self.warmup_steps = hidden_dim, warmup_steps
        self.scale = scale

    def __call__(self, step):
        step = ops.cast(step, "float32") + 1.0
        rising, falling = step * self.warmup_steps**-1.5, ops.rsqrt(step)
        rate = ops.minimum(rising, falling)
        return self.scale * self.hidden_dim**-0.5 * rate

    def get_config(self):
        return {
            "hidden_dim": self.hidden_dim,
            "warmup_steps": self.warmup_steps,
            "scale": self.scale,
        }


@keras.saving.register_keras_serializable("keras_seq")
class WarmupCosineDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Increase the rate linearly, then decay it to 0 along a cosine.

    Keras's `CosineDecay` counts `decay_steps` after the warmup; here
    `total_steps` includes it.

    Args:
        learning_rate: float > 0, the highest rate.
        total_steps: int > 0, number of steps of the whole training.
        warmup_steps: int >= 0, number of them with a rising rate. Default 0:
            training starts at the highest rate.
    Call arguments:
        step: int scalar, 0 at the first step.
    Returns:
        float32 scalar, the learning rate.
    Raises:
        ValueError: if an argument is outside its range, or `warmup_steps` is
            not below `total_steps`.
    Example:
        >>> schedule = WarmupCosineDecay(0.1, total_steps=20, warmup_steps=10)
        >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 15, 20)]
        [0.0, 0.05, 0.1, 0.05, 0.0]
    """

    def __init__(self, learning_rate, total_steps, warmup_steps=0):
        super().__init__()
        checks.positive_int(total_steps=total_steps)
        checks.not_negative_int(warmup_steps=warmup_steps)
        positive = isinstance(learning_rate, numbers.Real) and learning_rate > 0
        if not positive or warmup_steps >= total_steps:
            raise ValueError(
                "`learning_rate` must be > 0 and `warmup_steps` below "
                f"`total_steps`. Received learning_rate={learning_rate!r}, "
                f"warmup_steps={warmup_steps}, total_steps={total_steps}."
            )
        self.learning_rate = learning_rate
        self.total_steps, self.warmup_steps = total_steps, warmup_steps
        cosine = keras.optimizers.schedules.CosineDecay
        self.schedule = (
            cosine(
                0.0,
                total_steps - warmup_steps,
                warmup_target=learning_rate,
                warmup_steps=warmup_steps,
            )
            if warmup_steps
            else cosine(learning_rate, total_steps)
        )

    def __call__(self, step):
        return self.schedule(step)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
        }
