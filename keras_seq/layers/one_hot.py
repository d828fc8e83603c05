"""One-hot encoding: each token id becomes a vector with a single one.

It needs no training and is the simplest input of a network. But the width is
the size of the vocabulary, and every two tokens are equally far apart: an
embedding (`embedding.py`) learns which ones are alike.

    x_t = onehot(id_t)                       # x_t[i] = 1 if i = id_t, else 0

Shapes: B batch, T length, V vocabulary.
Paper: none.
Differs from the paper: nothing.
"""

import keras
from keras import ops

from keras_seq.layers.embedding import TokenLayer


@keras.saving.register_keras_serializable("keras_seq")
class OneHot(TokenLayer):
    """One-hot encoding: each id as a vector of zeros with a single one.

    Args:
        vocabulary_size: int > 0, number of ids V.
        pad_id: optional int in [0, vocabulary_size), the id of padding, whose
            steps are masked for the following layers. Default None.
    Call arguments:
        ids: int (B, T), each in [0, vocabulary_size). An id outside raises a
            ValueError in a NumPy array or a list and, except on PyTorch, in an
            eager tensor. Elsewhere, as in a compiled model, its vector is all
            zeros (on PyTorch an id beyond the vocabulary is an error).
    Returns:
        float (B, T, vocabulary_size).
    Raises:
        ValueError: if `vocabulary_size` is not an int > 0, `pad_id` or an id
            is outside the vocabulary, or the ids have half precision.
    Example:
        >>> layer = keras_seq.layers.OneHot(3)
        >>> ops.convert_to_numpy(layer(np.array([[2, 0]]))).astype(int).tolist()
        [[[0, 0, 1], [1, 0, 0]]]
    """

    def __init__(self, vocabulary_size, pad_id=None, **kwargs):
        super().__init__(vocabulary_size, pad_id, **kwargs)

    def call(self, ids):
        ids = self.as_int(ids)
        return ops.one_hot(ids, self.vocabulary_size, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.vocabulary_size)
