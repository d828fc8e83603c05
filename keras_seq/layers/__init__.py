"""Layers: one file per idea."""

from keras_seq.layers.additive_attention import AdditiveAttention
from keras_seq.layers.attention import attend, causal_mask, segment_mask
from keras_seq.layers.embedding import (
    PositionEmbedding,
    TokenEmbedding,
    padding_mask,
)
from keras_seq.layers.gru import GRU, GRUCell
from keras_seq.layers.lstm import LSTM, ChronoInitializer, LSTMCell
from keras_seq.layers.luong_attention import LuongAttention
from keras_seq.layers.multi_head_attention import MultiHeadAttention
from keras_seq.layers.one_hot import OneHot
from keras_seq.layers.patches import PatchDropout, PatchEmbedding, Patches
from keras_seq.layers.position_encoding import (
    RotaryEmbedding,
    SinePositionEncoding,
    sinusoidal_positions,
    sinusoidal_positions_2d,
)
from keras_seq.layers.simple_rnn import SimpleRNN, SimpleRNNCell
from keras_seq.layers.transformer_decoder import TransformerDecoder
from keras_seq.layers.transformer_encoder import TransformerEncoder

__all__ = [
    "GRU",
    "LSTM",
    "AdditiveAttention",
    "ChronoInitializer",
    "GRUCell",
    "LSTMCell",
    "LuongAttention",
    "MultiHeadAttention",
    "OneHot",
    "PatchDropout",
    "PatchEmbedding",
    "Patches",
    "PositionEmbedding",
    "RotaryEmbedding",
    "SimpleRNN",
    "SimpleRNNCell",
    "SinePositionEncoding",
    "TokenEmbedding",
    "TransformerDecoder",
    "TransformerEncoder",
    "attend",
    "causal_mask",
    "padding_mask",
    "segment_mask",
    "sinusoidal_positions",
    "sinusoidal_positions_2d",
]
