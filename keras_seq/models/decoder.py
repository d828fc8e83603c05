"""Decoder: a language model that begins where another network has ended.

A language model starts from a state of zeros and goes on in the language it
began in. Give it another first state, and it writes about something. Training
feeds it the true last word (teacher forcing: shift the target by one); the
trained model is fed its own, mistakes included, which it has never met.
Scheduled sampling gets it used to them: each true word is fed with a
probability epsilon that falls from step i to step, else the decoder's own.

    h_0      = c                                      # what to write about
    h_t      = cell(E[y_{t-1}], h_{t-1})              # y_0 is the start
    feed_context:
    h_t      = cell([E[y_{t-1}] ; c], h_{t-1})
    logits_t = max of pairs of [h_t ; E[y_{t-1}] ; c] W_t  times W, + b
    logits_t = h_t W + b                              # for y_t
    linear: epsilon = max(floor, k - slope i)
    exponential: epsilon = k^i
    inverse sigmoid: epsilon = k / (k + exp(i / k))

Shapes: B batch, T target length, V vocabulary, U units.
Paper: Cho et al. (2014), arXiv:1406.1078, section 2.2; scheduled sampling:
    Bengio, Vinyals, Jaitly & Shazeer (2015), arXiv:1506.03099, section 2.4.
Differs from the paper: c is seen once, as the first state, unless it is to be
    fed, as in Cho (appendix A.1.2); of its own words the decoder hears the
    likeliest, not a draw.
"""

import dataclasses

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.language_model import RecurrentLM

DECAYS = ("constant", "linear", "exponential", "inverse_sigmoid")


@keras.saving.register_keras_serializable("keras_seq")
@dataclasses.dataclass(frozen=True)
class ScheduledSampling:
    """Say how often the decoder is fed the true token, by training step.

    Args:
        decay: "constant": k; "linear": max(floor, k - slope * step);
            "exponential": k ** step; "inverse_sigmoid": k / (k + exp(step /
            k)), which is about 1 at first and 1/2 after k log k steps.
        k: float > 0; at most 1 but for the inverse sigmoid, which wants
            more than 1.
        slope: float >= 0, of the linear decay, per step. Default 0.
        floor: float in [0, 1), the least the linear decay falls to. Default
            0.
    Raises:
        ValueError: if an argument is outside its range.
    """

    decay: str
    k: float
    slope: float = 0.0
    floor: float = 0.0

    def __post_init__(self):
        checks.one_of(DECAYS, decay=self.decay)
        checks.fraction(floor=self.floor)
        checks.positive(k=self.k)
        sigmoid = self.decay == "inverse_sigmoid"
        if not (self.k > 1 if sigmoid else 0 < self.k <= 1):
            rule = "> 1" if sigmoid else "in (0, 1]"
            raise ValueError(
                f"`k` must be {rule} for {self.decay!r}. Received k={self.k}."
            )
        if not self.slope >= 0:
            raise ValueError(
                f"`slope` must be >= 0. Received slope={self.slope}."
            )

    def epsilon(self, step):
        """Give the share of true tokens: float scalar tensor -> the same."""
        step = ops.cast(step, "float32")
        if self.decay == "linear":
            return ops.maximum(self.floor, self.k - self.slope * step)
        if self.decay == "exponential":
            return ops.power(self.k, step)
        if self.decay == "inverse_sigmoid":  # written without exp(step)
            return ops.sigmoid(ops.log(self.k) - step / self.k)
        return self.k + 0.0 * step

    def get_config(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable("keras_seq")
class Seq2SeqDecoder(RecurrentLM):
    """Go on from a given state: a `RecurrentLM` that does not begin at zero.

    Args: those of `RecurrentLM`, and
        scheduled_sampling: optional `ScheduledSampling`; in training the
            decoder is then fed its own likeliest token in place of a true one
            as often as it says. Default None.
        feed_context: bool, let every step and its logits (a maxout of two)
            read the state it begins at, h of the top layer. Default False.
    Call arguments:
        ids: int (B, T), the target from its start token on.
        initial_state: optional list for each layer of its states, float (B,
            U) each; zeros by default.
    Returns:
        float (B, T, vocabulary_size), logits of the token that follows each.
    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        scheduled_sampling=None,
        feed_context=False,
        **kwargs,
    ):
        super().__init__(vocabulary_size, units, **kwargs)
        self.feed_context = feed_context
        if feed_context and self.config["stateful"]:
            raise ValueError(
                "`feed_context` reads the state that a call begins at, which "
                "a stateful decoder keeps to itself. Received "
                "feed_context=True, stateful=True."
            )
        if feed_context:
            self.maxout = keras.layers.Dense(2 * units, dtype=self.dtype_policy)
        self.scheduled_sampling = scheduled_sampling
        if scheduled_sampling is not None:
            self.coins = keras.random.SeedGenerator()
            self.steps = self.add_weight(
                name="steps",
                shape=(),
                dtype="int32",
                trainable=False,
                initializer="zeros",
            )

    @property
    def input_width(self):
        more = self.config["units"] if self.feed_context else 0
        return super().input_width + more

    def build(self, ids_shape):
        super().build(ids_shape)
        if self.feed_context:
            width = self.config["units"] + self.input_width
            self.maxout.build((*ids_shape, width))
        propagate_trainable(self)

    def call(self, ids, initial_state=None, training=False):
        if initial_state is None and self.feed_context:
            initial_state = self.zero_states(ops.shape(ids)[0])
        if training and self.scheduled_sampling is not None:
            x = self._speak(ids, initial_state)
        else:
            mask = self.embedding.compute_mask(ids)
            x, _ = self._read(ids, mask, training, initial_state)
        return self._score(self.dropout(x, training=training))

    def input_to_layers(self, ids, states):
        x = self.embedding(ids)
        if not self.feed_context:
            return x
        c = ops.cast(states[-1][0], x.dtype)  # first of the last: see `begin`
        if len(x.shape) == 3:
            c = ops.repeat(c[:, None], ops.shape(x)[1], axis=1)
        return ops.concatenate([x, c], axis=-1)

    def readout(self, h, inputs):
        if not self.feed_context:
            return h
        t = self.maxout(ops.concatenate([h, inputs], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))

    def begin(self, states):
        """Make first states what `step` takes: a context stays as it is."""
        return [*states, [states[-1][0]]] if self.feed_context else states

    def start(self, prompt, max_length=None):
        ids, states = super().start(prompt, max_length)
        nothing = self.begin(self.zero_states(ops.shape(prompt)[0]))
        return ids, states + nothing[len(states) :]

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        logits, states = super().step(ids, state)
        return logits, [*states, *state[len(states) :]]

    def _speak(self, ids, states):
        """Read `ids`, but now and then hear oneself: float (B, T, U)."""
        rows = ops.shape(ids)[0]
        states = self.zero_states(rows) if states is None else states
        ids = self.embedding.whole(ids)
        true = self.scheduled_sampling.epsilon(self.steps)
        self.steps.assign_add(1)
        coin = keras.random.uniform(
            ops.shape(ids), dtype="float32", seed=self.coins
        )
        own = ops.cast(coin >= true, ids.dtype)
        widths = [self.input_width] + [r.units for r in self.recurrent[1:]]
        kept = [  # one dropout mask for all steps
            self.dropout(ops.ones((rows, width)), training=True)
            for width in widths
        ]
        said = ops.cast(ids[:, :1], "float32")
        loop = keras.layers.RNN(
            _Speaking(self), return_sequences=True, dtype="float32"
        )
        flat = [state for layer in states for state in layer]
        return loop(
            ops.stack([ids, own], axis=-1),
            initial_state=[*flat, said, *kept, states[-1][0]],
        )

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.scheduled_sampling)
        own = {
            "scheduled_sampling": schedule,
            "feed_context": self.feed_context,
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(**with_schedule(config))


def with_schedule(config):
    """Make the schedule of a saved config an object again."""
    schedule = keras.saving.deserialize_keras_object(
        config["scheduled_sampling"]
    )
    return {**config, "scheduled_sampling": schedule}


class _Speaking(keras.layers.Layer):
    """Step a decoder on the true token, or on the one it just said."""

    def __init__(self, decoder):
        # Ids travel as float32, which holds them exactly up to 2^24; the
        # cells inside compute in the decoder's own precision.
        super().__init__(dtype="float32")
        self.decoder = decoder
        self.state_size = [decoder.config["units"], 1]
        self.built = True

    def call(self, x, states):
        decoder, layers = self.decoder, self.decoder.recurrent
        count = sum(len(layer.cell.state_names) for layer in layers)
        before, said, kept = states[:count], states[count], states[count + 1 :]
        ids = ops.where(x[:, 1] == 1, ops.cast(said[:, 0], x.dtype), x[:, 0])
        h = inputs = decoder.input_to_layers(ids, [kept[-1:]])
        after = []
        for layer, keep in zip(layers, kept):
            own = before[len(after) :][: len(layer.cell.state_names)]
            h, new = layer.cell(h * ops.cast(keep, h.dtype), own)
            after += new
        y = decoder.readout(h, inputs)
        said = ops.argmax(decoder._score(y), axis=-1)[:, None]
        after = [ops.cast(state, "float32") for state in [*after, said]]
        return ops.cast(y, "float32"), [*after, *kept]
