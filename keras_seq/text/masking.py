"""Masking: some tokens are hidden, and the model is asked what they were.

To read both ways and still have something to guess, BERT hides a share of the
tokens. It is asked for the hidden ones alone, so that seeing the others gives
nothing away. A token that is to be asked for is not always hidden, as later
tasks show no [MASK]. One draw u in [0, 1) decides:

    u < 0.8          it becomes [MASK]
    0.8 <= u < 0.9   it becomes another token, drawn from all ordinary ones
    0.9 <= u         it stays

What is hidden together is a unit: a token, a whole word, or a span of words
whose number is drawn, p(n) ~ 0.2 * 0.8^(n-1) up to 10. To choose, the units
of a row are drawn in a random order, and their words hidden one after the
other, if they still fit in the row's share; a word is never torn.

Masks are dynamic (Liu et al.): each epoch hides other tokens.

    masker = Masker(tokenizer, seed=7)
    batches = masker.each_epoch(dataset.batch(32).map(packer))

The numbers are stateless: the same seed, step and ids give the same mask.

Shapes: B batch, T length, M places, W words.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1 and appendix A.1;
    whole words: its code, 2019; spans: Joshi et al. (2020), arXiv:1907.10529,
    section 3.1; dynamic: Liu et al. (2019), arXiv:1907.11692, section 4.1.
Differs from the paper: a row's share of 15% is rounded up or down by a draw,
    so that it is kept on average however short a row is; [UNK] is not asked
    for, and no special id is drawn as another token; a span ends before a
    special id, and no word at its end is torn.
"""

import math

import numpy as np

from keras_seq import checks
from keras_seq.text.layout import check_ids, check_tensor
from keras_seq.text.tokenizer import check_tokenizer
from keras_seq.text.unicode import is_tf_tensor

MASKED, REPLACED = 0.8, 0.1  # the rest stays
UNITS = ("token", "word", "span")
LONGEST = 10  # words of a span
# Joshi et al. write that longer spans are cut to 10; their mean of 3.8, and
# their code, are of this distribution, where they are not drawn at all.
SHARES = 0.2 * 0.8 ** np.arange(LONGEST)
UP_TO = (np.cumsum(SHARES) / np.sum(SHARES)).astype("float32")


class Masker:
    """Hides tokens of batches of ids, and says where and what they were.

    Args:
        tokenizer: `Tokenizer`, whose ids these are. Its special ids are never
            hidden; a word begins where its pieces have a space in front:
            with WordPiece where there is no "##", with SentencePiece at
            U+2581.
        rate: float in (0, 1), the share of the ordinary tokens that is asked
            for. Default 0.15.
        unit: "token", "word" or "span". Default "token". A word of more
            pieces than the share of its row is never hidden.
        most: optional int > 0, M, places in a row, and the most to be asked
            for. Default: ceil(rate * T).
        seed: int >= 0. Default 0.
    Call arguments:
        inputs: int (B, T), ids; or a dict with `token_ids`, whose other
            values stay as they are. NumPy arrays or tf.Tensors.
        step: int >= 0, or an int tensor (): another step draws another mask.
    Returns:
        dict of the inputs and int32 NumPy arrays or tensors, as they came:
        `token_ids` (B, T) with hidden tokens; `mask_positions` (B, M), where
        they stand, rising; `labels` (B, M), what stood there. Unused places
        are 0, with `pad_id` as their label.
    Raises:
        ValueError: if an argument is outside its range, or there are no ids.
            A tensor's ids are not looked at.
    """

    def __init__(
        self, tokenizer, rate=0.15, *, unit="token", most=None, seed=0
    ):
        check_tokenizer(tokenizer)
        checks.positive(rate=rate)
        checks.fraction(rate=rate)
        checks.one_of(UNITS, unit=unit)
        if most is not None:
            checks.positive_int(most=most)
        checks.not_negative_int(seed=seed)
        self.tokenizer, self.rate, self.unit = tokenizer, rate, unit
        self.most, self.seed = most, seed
        names = ("pad_id", "unknown_id", "start_id", "end_id", "mask_id")
        special = [getattr(tokenizer, name) for name in names]
        ids = np.arange(tokenizer.vocabulary_size())
        self._special = np.isin(ids, special)
        self._ordinary = ids[~self._special].astype("int32")
        glyphs = tokenizer._glyphs
        self._begins = np.array([glyph[:1] == b" " for glyph in glyphs])

    def __call__(self, inputs, step):
        import tensorflow as tf

        others = inputs if isinstance(inputs, dict) else {}
        ids = (
            inputs.get("token_ids", ()) if isinstance(inputs, dict) else inputs
        )
        plain = not is_tf_tensor(ids)
        if plain:
            ids = tf.constant(check_ids(ids, self.tokenizer.vocabulary_size()))
        rule = "integers of shape (B, T)"
        check_tensor("ids", ids, ids.dtype.is_integer, (2,), rule)
        if is_tf_tensor(step):
            rule = "an int >= 0, or an integer of shape ()"
            check_tensor("step", step, step.dtype.is_integer, (0,), rule)
        else:
            checks.not_negative_int(step=step)
        masked = self._mask(tf.cast(ids, tf.int32), tf.cast(step, tf.int64))
        if plain:
            masked = {name: x.numpy() for name, x in masked.items()}
        return {**others, **masked}

    def each_epoch(self, dataset):
        """Hide other tokens each time that a dataset is read.

        Args:
            dataset: tf.data.Dataset of batches, `inputs` of a call.
        Returns:
            tf.data.Dataset of what the calls give. The seed, together with
            that of `keras.utils.set_random_seed`, settles every epoch.
        """
        import tensorflow as tf

        steps = tf.data.Dataset.random(
            self.seed, rerandomize_each_iteration=True
        )
        # tf.data draws ahead in parallel, in any order: that changes nothing.
        both = tf.data.Dataset.zip(dataset, steps)
        return both.map(self, num_parallel_calls=tf.data.AUTOTUNE)

    def _mask(self, ids, step):
        """int32 (B, T) to the three of a call.

        tensorflow-text has RandomItemSelector and MaskValuesChooser, but they
        draw from TensorFlow's global generator, which no seed of a step can
        set, and their other tokens may be special ids.
        """
        import tensorflow as tf

        seeds = tf.random.split([self.seed, step], 5, alg="philox")
        most = self._most(ids)
        hidden, units = self._hide(ids, most, seeds[:3])
        new = self._replace(ids, units, seeds[3:])
        return {
            "token_ids": tf.where(hidden, new, ids),
            **self._places(ids, hidden, most),
        }

    def _hide(self, ids, most, seeds):
        """Say what is hidden, bool; and number the units: (B, T)."""
        import tensorflow as tf

        ordinary = ~tf.gather(self._special, ids)
        starts, words = self._words(ids, ordinary)
        units = words
        if self.unit == "span":
            units = _spans(words, ordinary, _draw(tf.shape(ids), seeds[0]))
        count = tf.reduce_sum(tf.cast(ordinary, tf.float32), axis=1)
        up = _draw(tf.shape(count), seeds[1])  # or down
        room = tf.minimum(tf.cast(self.rate * count + up, tf.int32), most)
        sizes = tf.where(starts, _count(ordinary, words), 0)
        order = tf.where(starts, _draw_each(units, seeds[2]), 2.0)
        # Units that drew the same number stay one after the other: it is
        # stable.
        order = tf.argsort(order, axis=1, stable=True)
        taken = _fit(tf.gather(sizes, order, batch_dims=1), room)
        taken = tf.gather(taken, tf.argsort(order, axis=1), batch_dims=1)
        return ordinary & (_count(taken, words) > 0), units

    def _replace(self, ids, units, seeds):
        """Write what each token becomes if it is hidden: int32 (B, T)."""
        import tensorflow as tf

        if self.unit == "span":  # all of a span has one fate
            fate = _draw_each(units, seeds[0])
        else:
            fate = _draw(tf.shape(ids), seeds[0])
        other = _draw(tf.shape(ids), seeds[1]) * len(self._ordinary)
        other = tf.gather(self._ordinary, tf.cast(other, tf.int32))
        new = tf.where(fate < MASKED + REPLACED, other, ids)
        return tf.where(fate < MASKED, self.tokenizer.mask_id, new)

    def _most(self, ids):
        """M, an int where T is known, or else a tensor."""
        import tensorflow as tf

        if self.most is not None:
            return self.most
        # A little less, as 0.07 * 100 is a little more than 7.
        if ids.shape[1] is not None:
            return math.ceil(self.rate * ids.shape[1] - 1e-6)
        most = self.rate * tf.cast(tf.shape(ids)[1], tf.float64) - 1e-6
        return tf.cast(tf.math.ceil(most), tf.int32)

    def _words(self, ids, ordinary):
        """Where a word starts, bool; and each token's word, from 1: (B, T)."""
        import tensorflow as tf

        starts = ordinary
        if self.unit != "token":
            alone = ~tf.pad(ordinary, [[0, 0], [1, 0]])[:, :-1]
            starts &= tf.gather(self._begins, ids) | alone
        return starts, tf.cumsum(tf.cast(starts, tf.int32), axis=1)

    def _places(self, ids, hidden, most):
        """List the hidden places of each row: int32 (B, M), twice."""
        import tensorflow as tf

        length = tf.shape(ids)[1]
        places = tf.where(hidden, tf.range(length), length)
        places = tf.pad(places, [[0, 0], [0, most]], constant_values=length)
        places = tf.sort(places, axis=1)[:, :most]
        if isinstance(most, int):
            places = tf.ensure_shape(places, [None, most])
        used = places < length
        places = tf.where(used, places, 0)
        labels = tf.gather(ids, places, batch_dims=1)
        labels = tf.where(used, labels, self.tokenizer.pad_id)
        return {"mask_positions": places, "labels": labels}


def _draw(shape, seed):
    """Draw numbers in [0, 1): float32, the same on every machine."""
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, alg="philox")


def _draw_each(units, seed):
    """Draw a number for each unit: int in [0, 2T], (B, T) to float (B, T)."""
    import tensorflow as tf

    batch, length = tf.unstack(tf.shape(units))
    u = _draw([batch, 2 * length + 1], seed)
    return tf.gather(u, units, batch_dims=1)


def _spans(words, ordinary, u):
    """Number the spans of words: int (B, T), in [0, 2T].

    Spans of drawn lengths, one after the other, are laid over the words; a
    special id ends one too.
    """
    import tensorflow as tf

    lengths = 1 + tf.searchsorted(UP_TO, tf.reshape(u, [-1]), side="right")
    ends = tf.cumsum(tf.reshape(lengths, tf.shape(u)), axis=1)
    special = tf.cumsum(tf.cast(~ordinary, tf.int32), axis=1)
    return special + tf.searchsorted(ends, words - 1, side="right")


def _count(flags, words):
    """Count the flags in each token's word: bool, int (B, T) to int (B, T)."""
    import tensorflow as tf

    size = tf.shape(words)[1] + 1
    none = tf.where(flags, words, size)  # `size` and above are not counted
    counts = tf.math.bincount(none, minlength=size, maxlength=size, axis=-1)
    return tf.gather(counts, words, batch_dims=1)


def _fit(sizes, room):
    """Take from left to right whatever still fits: bool (B, W).

    One by one would be a loop over W. Instead, take all up to the first that
    does not fit, drop all that are larger than the room left, and so on.
    """
    import tensorflow as tf

    def some_left(waiting, taken):
        return tf.reduce_any(waiting)

    def take(waiting, taken):
        left = room - tf.reduce_sum(tf.where(taken, sizes, 0), axis=1)
        waiting &= sizes <= left[:, None]
        upto = tf.cumsum(tf.where(waiting, sizes, 0), axis=1)
        fits = waiting & (upto <= left[:, None])
        return waiting & ~fits, taken | fits

    start = (sizes > 0, tf.zeros_like(sizes, tf.bool))
    return tf.while_loop(some_left, take, start)[1]
