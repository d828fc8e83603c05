"""ImageCaptioner: describe a picture in words, with attention over the picture.

A translator reads a sentence and writes one; here the source is a picture. A
convolutional network turns it into a grid of vectors, each of which describes
one part of the picture: the memory. The decoder is that of `BahdanauSeq2Seq`:
before each word it computes attention weights over the grid, so every word has
a map of the parts of the picture that it was read from.

    m    = ResNet features (h, w, F) W_m + b_m, reshaped to (S, U)
    e_ts = v . tanh(h_{t-1} W_h + m_s U)
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s    # the context vector
    h_t  = cell([E[y_{t-1}] ; c_t], h_{t-1})
    t_t  = max(a, b),  [a ; b] = [h_t ; c_t ; E[y_{t-1}]] W_t + b_t   # maxout
    logits_t = t_t W_o + b_o,   h_0 = tanh(mean_s m_s W_0 + b_0)

Shapes: B batch, H height, W width, C channels, h and w height and width of
    the grid, S = h w, T target length, U units, V vocabulary.
Paper: Xu et al. (2015), "Show, attend and tell", arXiv:1502.03044, section 3.1,
    soft attention (4.2); the decoder: Bahdanau, Cho & Bengio (2015),
    arXiv:1409.0473.
Differs from the paper: the convolutional network is trained too;
    any cell; the readout is Bahdanau's maxout; no doubly stochastic attention.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import TokenEmbedding
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.bahdanau import BahdanauCell
from keras_seq.models.language_model import RECURRENT_LAYERS
from keras_seq.models.resnet import ResNet
from keras_seq.models.seq2seq_encoder import Bridge
from keras_seq.models.servable_model import ServableModel


@keras.saving.register_keras_serializable("keras_seq")
class ImageCaptioner(ServableModel):
    """Caption images of any size, with additive attention over the image.

    Args:
        target_vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width U of the grid's vectors and of the decoder.
        filters: list of int > 0, of the `ResNet`. Default (32, 64, 128).
        num_blocks: int > 0, of the `ResNet`. Default 1.
        input_strides: int > 0, of the `ResNet`. Default 2: with three stages
            the grid has one position for 8 x 8 pixels.
        channels: int > 0, C. Default 3.
        cell: "rnn", "gru" or "lstm". Default "gru".
        dropout: float in [0, 1), dropout rate of the grid, before the decoder
            and before the logits. Default 0.
        start_id: int, id of the start token. Default 2.
        end_id: int, id of the end token. Default 3.
        pad_id: optional int, id of padding in the target, where it stands at
            the end. Default 0.
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.
    Call arguments:
        inputs: dict of "images", float or uint8 (B, H, W, C), and "target",
            int (B, T), the caption from its start token on. Integer pixels
            are divided by 255.
        training: bool, apply dropout, and normalize by the batch's
            statistics. Default False.
        return_attention_scores: bool, return the attention weights as well.
            Default False.
    Returns:
        float (B, T, V), logits of the next token; with
        `return_attention_scores` also the weights, float (B, T, S), the grid's
        rows one after the other.
    Raises:
        ValueError: if an argument is outside its range, or `inputs` is not a
            dict with both keys.

    Example:
        >>> model = ImageCaptioner(13, units=8, filters=(2, 4))
        >>> images = np.zeros((3, 20, 24, 3), "uint8")
        >>> inputs = {"images": images, "target": np.array([[2, 5]] * 3)}
        >>> logits, weights = model(inputs, return_attention_scores=True)
        >>> tuple(logits.shape), tuple(weights.shape), model.grid_shape(20, 24)
        ((3, 2, 13), (3, 2, 30), (5, 6))
        >>> generate(model, images, max_length=4).attention.shape
        (3, 4, 30)
    """

    def __init__(
        self,
        target_vocabulary_size,
        units,
        *,
        filters=(32, 64, 128),
        num_blocks=1,
        input_strides=2,
        channels=3,
        cell="gru",
        dropout=0.0,
        start_id=2,
        end_id=3,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        sizes = {
            "target_vocabulary_size": target_vocabulary_size,
            "units": units,
        }
        checks.positive_int(**sizes)
        checks.one_of(RECURRENT_LAYERS, cell=cell)
        checks.fraction(dropout=dropout)
        ids = {"start_id": start_id, "end_id": end_id}
        checks.id_below(target_vocabulary_size, **ids)
        checks.padding(target_vocabulary_size, pad_id)
        checks.not_padding(pad_id, **ids)
        options = {"cell": cell, "dropout": dropout, "pad_id": pad_id}
        self.config = checks.plain({**sizes, **options, **ids})
        # Its head projects the features to the memory.
        self.encoder = ResNet(
            self.config["units"],
            filters,
            num_blocks=num_blocks,
            input_strides=input_strides,
            channels=channels,
            dtype=self.dtype_policy,
        )
        self._make_decoder()

    def _make_decoder(self):
        config, policy = self.config, self.dtype_policy
        self.start_id, self.end_id = config["start_id"], config["end_id"]
        self.units = units = config["units"]
        self.pad_id, cell = config["pad_id"], config["cell"]
        self.bridge = Bridge(units, units, cell, 1, dtype=policy)
        # No mask: padding stands at the end, and changes nothing before it.
        self.token_embedding = TokenEmbedding(
            config["target_vocabulary_size"],
            units,
            pad_id=None,
            embeddings_initializer=keras.initializers.RandomNormal(0, 1.0),
            dtype=policy,
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.decoder = keras.layers.RNN(
            BahdanauCell(units, cell, 1, dtype=policy),
            return_sequences=True,
            dtype=policy,
        )
        self.maxout = keras.layers.Dense(2 * units, dtype=policy)
        self.head = keras.layers.Dense(
            config["target_vocabulary_size"], dtype=policy
        )

    def build(self, inputs_shape):
        checks.has_keys(inputs_shape, "images", "target")
        U = self.units
        self.encoder.build()
        self.bridge.build()
        self.token_embedding.build(inputs_shape["target"])
        self.decoder.cell.build((None, U), (None, None, U))
        self.decoder.built = True
        self.maxout.build((None, None, 3 * U))
        self.head.build((None, None, U))
        propagate_trainable(self)

    def call(self, inputs, training=False, return_attention_scores=False):
        checks.has_keys(inputs, "images", "target")
        state = self._initial_state(inputs["images"], training)
        x = self.token_embedding(inputs["target"])  # (B, T, U)
        x = self.dropout(x, training=training)
        y = self.decoder(x, initial_state=[state], training=training)
        width = 2 * self.units
        h_and_context, weights = y[:, :, :width], y[:, :, width:]
        t = self.dropout(self._readout(h_and_context, x), training=training)
        logits = self.head(t)
        return (logits, weights) if return_attention_scores else logits

    def _initial_state(self, images, training=False):
        if keras.backend.is_int_dtype(images.dtype):
            images = ops.cast(images, self.compute_dtype) / 255
        grid = self.encoder.features(images, training=training)
        grid = self.dropout(self.encoder.head(grid), training=training)
        memory = ops.reshape(  # (B, S, U)
            grid, (ops.shape(grid)[0], -1, self.units)
        )
        mean = ops.mean(memory, axis=1)
        return {
            "cells": self.bridge([[mean] * len(self.bridge.dense_layers)]),
            "attention": ops.zeros_like(memory[:, :, 0]),
            "source": {
                "memory": memory,
                "keys": self.decoder.cell.attention.keys(memory),
                "mask": ops.ones_like(memory[:, :, 0], "bool"),
            },
        }

    def _readout(self, h_and_context, x):
        t = self.maxout(ops.concatenate([h_and_context, x], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))

    def start(self, images, max_length=None):
        """Encode the images.

        Args:
            images: float or uint8 (B, H, W, C).
            max_length: not used: the state has a fixed size. Default None.
        Returns:
            int (B,), the start token of each row, and the decoder's state:
            see `BahdanauCell`.
        """
        state = self._initial_state(images)
        rows = ops.shape(images)[0]
        return ops.full((rows,), self.start_id, dtype="int32"), state

    def step(self, ids, state):
        """Compute the logits of the next token.

        Args:
            ids: int (B,), the newest token of each row.
            state: as `start` returns it.
        Returns:
            float (B, V), logits, and the new state.
        """
        x = self.token_embedding(ids)
        y, (state,) = self.decoder.cell(x, [state])
        return self.head(self._readout(y[:, : 2 * self.units], x)), state

    def grid_shape(self, height, width):
        """Return h and w, the size of the grid of an image of H x W pixels."""
        return self.encoder.grid_shape(height, width)

    def input_signature(self):
        """Return the inputs that `export` declares: float images and ids."""
        images = self.encoder.input_signature()
        ids = keras.InputSpec(shape=(None, None), dtype="int32")
        return {"images": images, "target": ids}

    def get_config(self):
        encoder = self.encoder.config
        names = ("filters", "num_blocks", "input_strides", "channels")
        encoder = {name: encoder[name] for name in names}
        return {**super().get_config(), **self.config, **encoder}
