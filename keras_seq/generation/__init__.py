"""Generation: autoregressive decoding, one loop for every model.

`generate(model, inputs, sampler, max_length=...)` works with every language
model and every encoder-decoder here; `AutoregressiveModel` documents what it
needs of a model. Read `samplers.py` and `beam_search.py` first, then
`decoding_loop.py`. `generate_speculatively` (`speculative.py`) gives the result
of greedy decoding in fewer calls of a GPT.
"""

from keras_seq.generation.beam_search import BeamSearch
from keras_seq.generation.decoding import generate
from keras_seq.generation.decoding_loop import Generated
from keras_seq.generation.protocol import AutoregressiveModel
from keras_seq.generation.samplers import Greedy, Sampler, Sampling
from keras_seq.generation.search_state import SearchState
from keras_seq.generation.speculative import generate_speculatively
from keras_seq.generation.without_cache import WithoutCache

__all__ = [
    "AutoregressiveModel",
    "BeamSearch",
    "Generated",
    "Greedy",
    "Sampler",
    "Sampling",
    "SearchState",
    "WithoutCache",
    "generate",
    "generate_speculatively",
]
