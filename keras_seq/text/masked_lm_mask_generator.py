"""Masked language modeling (MLM): hide some tokens, and predict what they were.

A model that reads in both directions cannot be trained to predict the next
token, which it sees. BERT hides a fraction of the tokens instead, and predicts
only these. A token that is to be predicted is not always hidden, because
later tasks have no [MASK]. One draw u in [0, 1) decides:

    u < 0.8          it becomes [MASK]
    0.8 <= u < 0.9   it becomes a random token, drawn from all ordinary ones
    0.9 <= u         it does not change

Tokens are selected in units: a token, a whole word, or a span of words whose
number is drawn, p(n) ~ 0.2 * 0.8^(n-1) up to 10. The units of a row are put
in a random order, and their words are selected one after the other as long as
they fit into the fraction of the row; a word is selected whole or not at all.

The masks are dynamic (Liu et al.): each epoch has others.

    generator = MaskedLMMaskGenerator(tokenizer, seed=7)
    batches = generator.each_epoch(dataset.batch(32).map(packer))

The random numbers are stateless: the same seed, step and ids give the same
mask.

Shapes: B batch, T length, M mask positions.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1 and appendix A.1;
    whole words: its code, 2019; spans: Joshi et al. (2020), arXiv:1907.10529,
    section 3.1; dynamic: Liu et al. (2019), arXiv:1907.11692, section 4.1.
Differs from the paper: the 15% of a row is rounded up or down randomly, so
    that it is correct on average for short rows too; [UNK] is not predicted,
    and no special token is drawn as a random token; a span ends before a
    special token, and no word at its end is split.
"""

import math

import numpy as np

from keras_seq import checks
from keras_seq.text.masking_units import (
    choose_that_fit,
    count_in_words,
    draw,
    draw_for_units,
    number_spans,
)
from keras_seq.text.tensor_checks import (
    assert_ids,
    check_ids,
    check_tensor,
    is_tf_tensor,
)
from keras_seq.text.tokenizer import check_tokenizer

UNITS = ("token", "word", "span")


class MaskedLMMaskGenerator:
    """Masks tokens of batches of ids, for masked language modeling.

    Args:
        tokenizer: `Tokenizer` of the ids. Its special tokens are never
            selected; a word begins where a piece begins with a space: with
            WordPiece without "##", with SentencePiece at U+2581.
        mask_selection_rate: float in (0, 1), the fraction of the ordinary
            tokens that is selected. Default 0.15.
        unit: str, "token", "word" or "span". A word with more pieces than the
            fraction of its row is never selected. Default "token".
        mask_selection_length: optional int > 0, the maximum number M of
            selected tokens in a row. Default None:
            ceil(mask_selection_rate * T).
        mask_token_rate: float in [0, 1], the fraction of the selected tokens
            that become [MASK]. Default 0.8.
        random_token_rate: float in [0, 1], the fraction of the selected
            tokens that become a random token. Default 0.1.
        seed: int >= 0. Default 0.
    Call arguments:
        inputs: int (B, T), ids; or a dict with `token_ids`, whose other
            values are returned too. NumPy arrays or tf.Tensors.
        step: int >= 0, or an int tensor (): another step has another mask.
    Returns:
        dict of the inputs and int32 NumPy arrays or tensors, as the inputs:
        `token_ids` (B, T), masked; `mask_positions` (B, M), where, ascending;
        `labels` (B, M), the ids that were there. Unused positions are 0, with
        `pad_id` as their label.
    Raises:
        ValueError: if an argument is out of range, or there are no ids; for a
            tensor with an id outside the vocabulary
            tf.errors.InvalidArgumentError.
    Example:
        >>> tokenizer = CharTokenizer("abcdefg")
        >>> generator = MaskedLMMaskGenerator(tokenizer, 0.4)
        >>> masked = generator(tokenizer.tokenize(["abcdefg", "gfedcba"]), 0)
        >>> masked["token_ids"].shape, masked["mask_positions"].shape
        ((2, 7), (2, 3))
    """

    def __init__(
        self,
        tokenizer,
        mask_selection_rate=0.15,
        *,
        unit="token",
        mask_selection_length=None,
        mask_token_rate=0.8,
        random_token_rate=0.1,
        seed=0,
    ):
        check_tokenizer(tokenizer)
        if tokenizer.mask_id is None:
            raise ValueError(
                "`tokenizer` must have a mask token. "
                f"Received tokenizer={tokenizer!r}."
            )
        checks.positive(mask_selection_rate=mask_selection_rate)
        checks.fraction(mask_selection_rate=mask_selection_rate)
        checks.one_of(UNITS, unit=unit)
        if mask_selection_length is not None:
            checks.positive_int(mask_selection_length=mask_selection_length)
        _check_rates(mask_token_rate, random_token_rate)
        checks.not_negative_int(seed=seed)
        self.tokenizer, self.unit, self.seed = tokenizer, unit, seed
        self.mask_selection_rate = mask_selection_rate
        self.mask_selection_length = mask_selection_length
        self.mask_token_rate = mask_token_rate
        self.random_token_rate = random_token_rate
        self._make_tables()

    def _make_tables(self):
        """Make a table of each property of an id."""
        ids = np.arange(self.tokenizer.vocabulary_size())
        pieces = self.tokenizer.piece_bytes
        self._special = np.isin(ids, self.tokenizer.special_ids())
        self._ordinary = ids[~self._special].astype("int32")
        self._begins = np.array([piece[:1] == b" " for piece in pieces])

    def __call__(self, inputs, step):
        import tensorflow as tf

        others = inputs if isinstance(inputs, dict) else {}
        ids = inputs
        if isinstance(inputs, dict):
            ids = inputs.get("token_ids", ())
        in_python = not is_tf_tensor(ids)
        if in_python:
            ids = tf.constant(check_ids(ids, len(self._special)))
        rule = "integers of shape (B, T)"
        check_tensor("ids", ids, ids.dtype.is_integer, (2,), rule)
        if is_tf_tensor(step):
            rule = "an int >= 0, or an integer of shape ()"
            check_tensor("step", step, step.dtype.is_integer, (0,), rule)
        else:
            checks.not_negative_int(step=step)
        ids = tf.cast(assert_ids(ids, len(self._special)), tf.int32)
        masked = self._mask(ids, tf.cast(step, tf.int64))
        if in_python:
            masked = {name: x.numpy() for name, x in masked.items()}
        return {**others, **masked}

    def each_epoch(self, dataset):
        """Mask the batches of a dataset, differently each time it is read.

        Args:
            dataset: tf.data.Dataset of batches, `inputs` of a call.
        Returns:
            tf.data.Dataset of what the calls return. The seed and that of
            `keras.utils.set_random_seed` determine every epoch.
        """
        import tensorflow as tf

        steps = tf.data.Dataset.random(
            self.seed, rerandomize_each_iteration=True
        )
        # tf.data draws ahead in parallel, in any order: the result is equal.
        both = tf.data.Dataset.zip(dataset, steps)
        return both.map(self, num_parallel_calls=tf.data.AUTOTUNE)

    def _mask(self, ids, step):
        """Convert int32 (B, T) to the three results of a call.

        tensorflow-text has RandomItemSelector and MaskValuesChooser, but they
        use the global generator of TensorFlow, whose state is not determined
        by a step, and their random tokens may be special tokens.
        """
        import tensorflow as tf

        seeds = tf.random.split([self.seed, step], 5, alg="philox")
        most = self._most(ids)
        selected, units = self._select(ids, most, seeds[:3])
        new = self._replace(ids, units, seeds[3:])
        return {
            "token_ids": tf.where(selected, new, ids),
            **self._positions(ids, selected, most),
        }

    def _select(self, ids, most, seeds):
        """Select tokens, bool (B, T); and number the units, int (B, T)."""
        import tensorflow as tf

        ordinary = ~tf.gather(self._special, ids)
        starts, words = self._words(ids, ordinary)
        units = words
        if self.unit == "span":
            u = draw(tf.shape(ids), seeds[0])
            units = number_spans(words, ordinary, u)
        count = tf.reduce_sum(tf.cast(ordinary, tf.float32), axis=1)
        up = draw(tf.shape(count), seeds[1])  # or down
        room = tf.cast(self.mask_selection_rate * count + up, tf.int32)
        room = tf.minimum(room, most)
        sizes = tf.where(starts, count_in_words(ordinary, words), 0)
        order = tf.where(starts, draw_for_units(units, seeds[2]), 2.0)
        # Words of one unit have the same number: the stable order keeps them
        # together.
        order = tf.argsort(order, axis=1, stable=True)
        sizes = tf.gather(sizes, order, batch_dims=1)
        chosen = choose_that_fit(sizes, room)
        chosen = tf.gather(chosen, tf.argsort(order, axis=1), batch_dims=1)
        return ordinary & (count_in_words(chosen, words) > 0), units

    def _replace(self, ids, units, seeds):
        """Compute what each token becomes if it is selected: int32 (B, T)."""
        import tensorflow as tf

        if self.unit == "span":  # all tokens of a span are replaced alike
            u = draw_for_units(units, seeds[0])
        else:
            u = draw(tf.shape(ids), seeds[0])
        other = draw(tf.shape(ids), seeds[1]) * len(self._ordinary)
        other = tf.gather(self._ordinary, tf.cast(other, tf.int32))
        changed = self.mask_token_rate + self.random_token_rate
        new = tf.where(u < changed, other, ids)
        return tf.where(u < self.mask_token_rate, self.tokenizer.mask_id, new)

    def _most(self, ids):
        """Return M, an int if T is known, otherwise a tensor."""
        import tensorflow as tf

        if self.mask_selection_length is not None:
            return self.mask_selection_length
        rate = self.mask_selection_rate
        # A little less, because 0.07 * 100 is a little more than 7.
        if ids.shape[1] is not None:
            return math.ceil(rate * ids.shape[1] - 1e-6)
        most = rate * tf.cast(tf.shape(ids)[1], tf.float64) - 1e-6
        return tf.cast(tf.math.ceil(most), tf.int32)

    def _words(self, ids, ordinary):
        """Find where words start, bool; and number them from 1: (B, T)."""
        import tensorflow as tf

        starts = ordinary
        if self.unit != "token":
            after_special = ~tf.pad(ordinary, [[0, 0], [1, 0]])[:, :-1]
            starts &= tf.gather(self._begins, ids) | after_special
        return starts, tf.cumsum(tf.cast(starts, tf.int32), axis=1)

    def _positions(self, ids, selected, most):
        """List the selected positions and their labels: int32 (B, M)."""
        import tensorflow as tf

        length = tf.shape(ids)[1]
        positions = tf.where(selected, tf.range(length), length)
        widen = [[0, 0], [0, most]]
        positions = tf.pad(positions, widen, constant_values=length)
        positions = tf.sort(positions, axis=1)[:, :most]
        if isinstance(most, int):
            positions = tf.ensure_shape(positions, [None, most])
        used = positions < length
        positions = tf.where(used, positions, 0)
        labels = tf.gather(ids, positions, batch_dims=1)
        labels = tf.where(used, labels, self.tokenizer.pad_id)
        return {"mask_positions": positions, "labels": labels}


def _check_rates(mask_token_rate, random_token_rate):
    checks.within(0, 1, mask_token_rate=mask_token_rate)
    checks.within(0, 1, random_token_rate=random_token_rate)
    if mask_token_rate + random_token_rate > 1 + 1e-6:
        raise ValueError(
            "`random_token_rate` must be at most 1 - mask_token_rate. Received "
            f"random_token_rate={random_token_rate}, "
            f"mask_token_rate={mask_token_rate}."
        )
