"""keras_seq: from the recurrent network to the Vision Transformer, in Keras.

`READING_ORDER` is the syllabus: one file per idea, in the order of history.
Importing the package registers every layer, so that a saved model loads.
"""

from keras_seq import text, training
from keras_seq.attention import attend, causal_mask
from keras_seq.bahdanau import AdditiveAttention, BahdanauSeq2Seq
from keras_seq.beam import BeamSearch
from keras_seq.bert import BERT
from keras_seq.blocks import DecoderBlock, EncoderBlock
from keras_seq.choosing import Greedy, Sampling
from keras_seq.cnn import ConvNet
from keras_seq.decoder import Decoder, ScheduledSampling
from keras_seq.embedding import OneHot, TokenEmbedding, padding_mask
from keras_seq.feedforward import FeedForward
from keras_seq.fine_tuning import (
    BERTClassifier,
    BERTSpanQA,
    BERTTagger,
    best_span,
)
from keras_seq.generation import Generated, generate
from keras_seq.gpt import GPT
from keras_seq.gru import GRU, GRUCell
from keras_seq.language_model import RecurrentLM
from keras_seq.lstm import LSTM, ChronoInitializer, LSTMCell
from keras_seq.luong import LuongAttention, LuongSeq2Seq
from keras_seq.multihead import MultiHeadAttention
from keras_seq.norm import LayerNormalization
from keras_seq.patches import PatchDropout, Patches
from keras_seq.positions import (
    PositionalEncoding,
    sinusoidal_positions,
    sinusoidal_positions_2d,
)
from keras_seq.pretraining import BERTPretrainer
from keras_seq.rnn import SimpleRNN, SimpleRNNCell
from keras_seq.seq2seq import Encoder, Seq2Seq
from keras_seq.transformer import Transformer
from keras_seq.uncached import Uncached
from keras_seq.vit import ViT

__version__ = "0.1.0"

READING_ORDER = {
    "embedding": ("OneHot", "TokenEmbedding", "padding_mask"),
    "rnn": ("SimpleRNNCell", "SimpleRNN"),
    "lstm": ("LSTMCell", "LSTM", "ChronoInitializer"),
    "gru": ("GRUCell", "GRU"),
    "choosing": ("Greedy", "Sampling"),
    "beam": ("BeamSearch",),
    "generation": ("generate", "Generated"),
    "uncached": ("Uncached",),
    "language_model": ("RecurrentLM",),
    "decoder": ("Decoder", "ScheduledSampling"),
    "seq2seq": ("Encoder", "Seq2Seq"),
    "attention": ("attend", "causal_mask"),
    "attending": (),
    "bahdanau": ("AdditiveAttention", "BahdanauSeq2Seq"),
    "luong": ("LuongAttention", "LuongSeq2Seq"),
    "multihead": ("MultiHeadAttention",),
    "norm": ("LayerNormalization",),
    "feedforward": ("FeedForward",),
    "blocks": ("EncoderBlock", "DecoderBlock"),
    "positions": (
        "PositionalEncoding",
        "sinusoidal_positions",
        "sinusoidal_positions_2d",
    ),
    "transformer": ("Transformer",),
    "gpt": ("GPT",),
    "bert": ("BERT",),
    "pretraining": ("BERTPretrainer",),
    "fine_tuning": (
        "BERTClassifier",
        "BERTTagger",
        "BERTSpanQA",
        "best_span",
    ),
    "cnn": ("ConvNet",),
    "patches": ("Patches", "PatchDropout"),
    "vit": ("ViT",),
}

__all__ = [
    "BERT",
    "GPT",
    "GRU",
    "LSTM",
    "READING_ORDER",
    "AdditiveAttention",
    "BERTClassifier",
    "BERTPretrainer",
    "BERTSpanQA",
    "BERTTagger",
    "BahdanauSeq2Seq",
    "BeamSearch",
    "ChronoInitializer",
    "ConvNet",
    "Decoder",
    "DecoderBlock",
    "Encoder",
    "EncoderBlock",
    "FeedForward",
    "GRUCell",
    "Generated",
    "Greedy",
    "LSTMCell",
    "LayerNormalization",
    "LuongAttention",
    "LuongSeq2Seq",
    "MultiHeadAttention",
    "OneHot",
    "PatchDropout",
    "Patches",
    "PositionalEncoding",
    "RecurrentLM",
    "Sampling",
    "ScheduledSampling",
    "Seq2Seq",
    "SimpleRNN",
    "SimpleRNNCell",
    "TokenEmbedding",
    "Transformer",
    "Uncached",
    "ViT",
    "__version__",
    "attend",
    "best_span",
    "causal_mask",
    "generate",
    "padding_mask",
    "sinusoidal_positions",
    "sinusoidal_positions_2d",
    "text",
    "training",
]
