"""Models as keras.io builds them, with the attention layers of this package.

Each is written as one of Keras's examples is (text classification, translation,
a miniature GPT, a Vision Transformer), with only the import changed.
"""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_seq.layers import (
    AdditiveAttention,
    LuongAttention,
    MultiHeadAttention,
    Patches,
    PositionEmbedding,
    SinePositionEncoding,
    TokenEmbedding,
    TransformerEncoder,
)
from keras_seq.models import BERT, GPT, BERTClassifier

VOCAB, LENGTH, WIDTH, HEADS = 13, 7, 6, 2


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def token_ids(rows=5, length=LENGTH):
    x = np.random.default_rng(0).integers(1, VOCAB, (rows, length))
    x[1, 4:] = 0
    return x.astype("int32")


class ClassifierBlock(layers.Layer):
    """The block of the text classification example."""

    def __init__(self, width, heads, inner, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.attention = MultiHeadAttention(num_heads=heads, key_dim=width)
        self.dense = keras.Sequential(
            [layers.Dense(inner, activation="relu"), layers.Dense(width)]
        )
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs):
        y = self.dropout1(self.attention(inputs, inputs))
        x = self.norm1(inputs + y)
        return self.norm2(x + self.dropout2(self.dense(x)))


class TokenAndPosition(layers.Layer):
    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.tokens = layers.Embedding(vocabulary, width)
        self.positions = layers.Embedding(length, width)

    def call(self, x):
        places = ops.arange(0, ops.shape(x)[-1], 1)
        return self.tokens(x) + self.positions(places)


def test_text_classification_with_a_transformer_block(tmp_path):
    inputs = layers.Input((LENGTH,))
    x = TokenAndPosition(LENGTH, VOCAB, WIDTH)(inputs)
    x = ClassifierBlock(WIDTH, HEADS, 11)(x)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(0.1)(x)
    outputs = layers.Dense(2, activation="softmax")(x)
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(token_ids(), np.arange(5) % 2, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    model.save_weights(tmp_path / "model.weights.h5")
    before = model.predict(token_ids(), verbose=0)
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(model.predict(token_ids(), verbose=0), before)


class TranslationEncoder(layers.Layer):
    def __init__(self, width, inner, heads, **kwargs):
        super().__init__(**kwargs)
        self.attention = MultiHeadAttention(num_heads=heads, key_dim=width)
        self.dense = keras.Sequential(
            [layers.Dense(inner, activation="relu"), layers.Dense(width)]
        )
        self.norm1, self.norm2 = (
            layers.LayerNormalization(),
            layers.LayerNormalization(),
        )
        self.supports_masking = True

    def call(self, inputs, mask=None):
        padding = None
        if mask is not None:
            padding = ops.cast(mask[:, None, :], dtype="int32")
        y = self.attention(
            query=inputs, value=inputs, key=inputs, attention_mask=padding
        )
        x = self.norm1(inputs + y)
        return self.norm2(x + self.dense(x))


class TranslationDecoder(layers.Layer):
    def __init__(self, width, inner, heads, **kwargs):
        super().__init__(**kwargs)
        self.attention1 = MultiHeadAttention(num_heads=heads, key_dim=width)
        self.attention2 = MultiHeadAttention(num_heads=heads, key_dim=width)
        self.dense = keras.Sequential(
            [layers.Dense(inner, activation="relu"), layers.Dense(width)]
        )
        self.norm1, self.norm2 = (
            layers.LayerNormalization(),
            layers.LayerNormalization(),
        )
        self.norm3 = layers.LayerNormalization()
        self.supports_masking = True

    def call(self, inputs, mask=None):
        inputs, encoded = inputs
        causal = self.causal_mask(inputs)
        if mask is None:
            target_mask = source_mask = None
        else:
            target_mask, source_mask = mask
        y = self.attention1(
            query=inputs,
            value=inputs,
            key=inputs,
            attention_mask=causal,
            query_mask=target_mask,
        )
        x = self.norm1(inputs + y)
        y = self.attention2(
            query=x,
            value=encoded,
            key=encoded,
            query_mask=target_mask,
            key_mask=source_mask,
        )
        x = self.norm2(x + y)
        return self.norm3(x + self.dense(x))

    def causal_mask(self, inputs):
        batch, length = ops.shape(inputs)[0], ops.shape(inputs)[1]
        i, j = ops.arange(length)[:, None], ops.arange(length)
        mask = ops.reshape(ops.cast(i >= j, "int32"), (1, length, length))
        return ops.tile(mask, (batch, 1, 1))


def translator():
    source = keras.Input((None,), dtype="int64", name="source")
    target = keras.Input((None,), dtype="int64", name="target")
    embed = layers.Embedding(VOCAB, WIDTH, mask_zero=True)
    encoded = TranslationEncoder(WIDTH, 11, HEADS)(embed(source))
    x = TranslationDecoder(WIDTH, 11, HEADS)([embed(target), encoded])
    outputs = layers.Dense(VOCAB, activation="softmax")(layers.Dropout(0.5)(x))
    return keras.Model([source, target], outputs)


def test_translation_with_an_integer_attention_mask():
    model = translator()
    source, target = token_ids(), token_ids(length=5)
    model.compile("rmsprop", keras.losses.SparseCategoricalCrossentropy())
    history = model.fit([source, target], target, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    p = numbers(model([source, target]))
    changed = target.copy()
    changed[:, 3:] = 1
    other = numbers(model([source, changed]))
    np.testing.assert_allclose(other[:, :3], p[:, :3], atol=1e-6)
    padded = np.pad(source, ((0, 0), (0, 2)))
    other = numbers(model([padded, target]))
    np.testing.assert_allclose(other, p, atol=1e-6)


def causal_attention_mask(batch, n_target, n_source, dtype):
    i, j = ops.arange(n_target)[:, None], ops.arange(n_source)
    mask = ops.cast(i >= j - n_source + n_target, dtype)
    mask = ops.reshape(mask, [1, n_target, n_source])
    return ops.tile(mask, (batch, 1, 1))


class MiniatureGPTBlock(layers.Layer):
    def __init__(self, width, heads, inner, dtype_of_mask, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.attention = MultiHeadAttention(heads, width)
        self.dense = keras.Sequential(
            [layers.Dense(inner, activation="relu"), layers.Dense(width)]
        )
        self.norm1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)
        self.dtype_of_mask = dtype_of_mask

    def call(self, inputs):
        batch, length = ops.shape(inputs)[0], ops.shape(inputs)[1]
        mask = causal_attention_mask(batch, length, length, self.dtype_of_mask)
        y = self.attention(inputs, inputs, attention_mask=mask)
        x = self.norm1(inputs + self.dropout1(y))
        return self.norm2(x + self.dropout2(self.dense(x)))


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_miniature_gpt_with_a_causal_mask_made_by_hand(dtype):
    inputs = layers.Input((LENGTH,), dtype="int32")
    x = TokenAndPosition(LENGTH, VOCAB, WIDTH)(inputs)
    x = MiniatureGPTBlock(WIDTH, HEADS, 11, dtype)(x)
    model = keras.Model(inputs, [layers.Dense(VOCAB)(x), x])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss=[loss, None])
    ids = token_ids()
    history = model.fit(ids, ids, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    logits, _ = model(ids)
    other, _ = model(np.concatenate([ids[:, :3], ids[:, 3:] * 0 + 1], 1))
    same = numbers(other)[:, :3], numbers(logits)[:, :3]
    np.testing.assert_allclose(*same, atol=1e-6)


class PatchEncoder(layers.Layer):
    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.projection = layers.Dense(width)
        self.positions = layers.Embedding(count, width)

    def call(self, patches):
        places = ops.expand_dims(ops.arange(self.count), axis=0)
        return self.projection(patches) + self.positions(places)


def test_image_classification_with_a_vision_transformer(tmp_path):
    inputs = keras.Input((6, 10, 3))
    x = layers.Normalization(mean=0.5, variance=1.0)(inputs)
    patches = Patches(2)(x)
    x = PatchEncoder(15, WIDTH)(patches)
    for _ in range(2):
        x1 = layers.LayerNormalization(epsilon=1e-6)(x)
        y = MultiHeadAttention(num_heads=HEADS, key_dim=WIDTH, dropout=0.1)(
            x1, x1
        )
        x2 = layers.Add()([y, x])
        x3 = layers.LayerNormalization(epsilon=1e-6)(x2)
        x3 = layers.Dense(WIDTH, activation=keras.activations.gelu)(x3)
        x = layers.Add()([x3, x2])
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    model = keras.Model(inputs, layers.Dense(7)(layers.Dropout(0.5)(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=1e-4), loss)
    images = np.random.default_rng(0).random((5, 6, 10, 3)).astype("float32")
    model.fit(images, np.arange(5), verbose=0)
    model.save(tmp_path / "vit.keras", include_optimizer=False)


def test_a_model_of_unknown_length_adds_position_encodings():
    inputs = keras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCAB, WIDTH)(inputs)
    x = x + PositionEmbedding(LENGTH)(x)
    x = x + SinePositionEncoding()(x)
    x = TransformerEncoder(11, HEADS)(x)
    model = keras.Model(inputs, layers.Dense(VOCAB)(x))
    assert model(token_ids()).shape == (5, LENGTH, VOCAB)
    assert model.output_shape == (None, None, VOCAB)
    with pytest.raises(ValueError, match="sequence_length"):
        model(token_ids(length=LENGTH + 1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: GPT(VOCAB, 8, num_layers=1, max_sequence_length=LENGTH),
        lambda: BERTClassifier(
            BERT(VOCAB, 8, num_layers=1, max_sequence_length=LENGTH), 3
        ),
    ],
    ids=["GPT", "BERT"],
)
def test_a_model_in_a_functional_model_reads_any_length_it_can(make):
    inputs = keras.Input((None,), dtype="int32")
    inner = make()
    model = keras.Model(inputs, inner(inputs))
    assert model.output_shape[0] is None
    np.testing.assert_allclose(
        numbers(model(token_ids())), numbers(inner(token_ids())), atol=1e-6
    )
    with pytest.raises(ValueError, match="max_sequence_length"):
        model(token_ids(length=LENGTH + 1))


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("direction", ["from Keras", "to Keras"])
def test_weight_files_of_keras_and_ours_can_be_exchanged(
    direction, dropout, tmp_path
):
    models = []
    for layer in (keras.layers.MultiHeadAttention, MultiHeadAttention):
        inputs = keras.Input((LENGTH, WIDTH))
        x = layer(HEADS, 3, dropout=dropout)(inputs, inputs)
        models.append(keras.Model(inputs, layers.Dense(3)(x)))
    saved, loaded = models if direction == "from Keras" else models[::-1]
    saved.save_weights(tmp_path / "model.weights.h5")
    loaded.load_weights(tmp_path / "model.weights.h5")
    x = np.random.default_rng(0).normal(size=(2, LENGTH, WIDTH))
    np.testing.assert_allclose(numbers(loaded(x)), numbers(saved(x)), atol=1e-5)


def test_flash_attention_returns_no_weights():
    layer = MultiHeadAttention(2, 4, flash_attention=True)
    x = np.ones((2, 3, 8), "float32")
    with pytest.raises(ValueError, match="return_attention_scores") as error:
        layer(x, return_attention_scores=True)
    assert "flash_attention" in str(error.value)


@pytest.mark.parametrize(
    "attention",
    [AdditiveAttention(8), LuongAttention("general"), LuongAttention("concat")],
    ids=["additive", "general", "concat"],
)
def test_the_mask_of_the_query_reaches_the_next_layer(attention, recwarn):
    embedding = TokenEmbedding(VOCAB, 8)
    query, memory = (keras.Input((None,), dtype="int32") for _ in range(2))
    y = attention(embedding(query), embedding(memory))
    model = keras.Model([query, memory], layers.GRU(4)(y))
    assert not [w for w in recwarn if "mask" in str(w.message)]
    x = token_ids()
    padded = np.pad(x, ((0, 0), (0, 3)))
    found = [numbers(model([q, x])) for q in (x, padded)]
    np.testing.assert_allclose(*found, atol=1e-5)
