"""Generation: autoregressive decoding, one loop for every model."""

from keras_seq.generation.beam_search import BeamSearch
from keras_seq.generation.decoding import Generated, generate
from keras_seq.generation.samplers import Greedy, Sampling
from keras_seq.generation.without_cache import WithoutCache

__all__ = [
    "BeamSearch",
    "Generated",
    "Greedy",
    "Sampling",
    "WithoutCache",
    "generate",
]
