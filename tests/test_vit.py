"""ViT: patches, positions in two dimensions, images of another size."""

import keras
import numpy as np
import pytest
from cases import BATCH, SMALL_VIT, images
from keras import ops

from keras_seq.evaluation import attention_rollout
from keras_seq.layers import (
    PatchDropout,
    PatchEmbedding,
    Patches,
    sinusoidal_positions_2d,
)
from keras_seq.layers.position_encoding import interpolated_positions
from keras_seq.models import ViT

ENCODINGS = ("learned", "sinusoidal", "none")
POOLINGS = ("token", "mean")


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def vit(**options):
    """Create a small model whose weights are all random."""
    model = ViT(**{**SMALL_VIT, "hidden_dim": 12, "num_heads": 3, **options})
    model.build()
    draw = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(draw.normal(0.0, 0.4, weight.shape))
    return model


# Patches.


def test_patches_and_their_pixels_are_in_row_major_order():
    x, found = images(), numbers(Patches((3, 5))(images()))
    for n, (row, column) in enumerate(np.ndindex(2, 3)):
        patch = x[:, 3 * row : 3 * row + 3, 5 * column : 5 * column + 5]
        assert np.array_equal(found[:, n], patch.reshape(BATCH, -1))


def test_a_dense_kernel_is_a_reshaped_convolution_kernel():
    convolution = keras.layers.Conv2D(11, (3, 5), strides=(3, 5))
    wanted = numbers(convolution(images())).reshape(BATCH, 6, 11)
    kernel = numbers(convolution.kernel).reshape(-1, 11)
    found = numbers(Patches((3, 5))(images())) @ kernel
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("side", [3, (3, 5), (6, 1), (1, 15), (6, 15), 1])
def test_join_restores_the_images(side):
    patches = Patches(side)
    joined = patches.join(patches(images()), (6, 15))
    assert np.array_equal(numbers(joined), images())


def test_images_of_unknown_size_have_an_unknown_number_of_patches():
    x = keras.Input((None, None, 2))
    patches = Patches((3, 5))
    assert patches(x).shape == (None, None, 30)
    assert patches(keras.Input((6, None, 2))).shape == (None, None, 30)
    model = keras.Model(x, patches(x))
    assert np.array_equal(numbers(model(images())), numbers(patches(images())))


@pytest.mark.parametrize(
    "name, call",
    [
        ("`patch_size` must divide", lambda: Patches(4)(images())),
        ("`patch_size` must divide", lambda: Patches((3, 4))(images())),
        ("`images` must be", lambda: Patches(3)(images()[..., 0])),
        ("`patch_size` must be", lambda: Patches((3, 0))),
        ("`patches` must be", lambda: Patches(3).join(images(), 6)),
        (
            "`patches` must be",
            lambda: Patches(3).join(Patches(3)(images()), (6, 12)),
        ),
        (
            "`patches` must be",
            lambda: Patches(3).join(np.ones((2, 4, 17)), (6, 6)),
        ),
        (
            "`patches` must be",
            lambda: Patches(3).join(np.ones((2, 4, 0)), (6, 6)),
        ),
        ("`image_size` must be", lambda: Patches(3).join(images(), "6")),
    ],
)
def test_images_that_cannot_be_split_into_patches_raise(name, call):
    with pytest.raises(ValueError, match=name):
        call()


def test_integer_pixels_become_floats():
    x = np.abs(images() * 9).astype("uint8")
    found = Patches(3)(x)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert np.array_equal(numbers(Patches(3).join(found, (6, 15))), x)


# Patch dropout.


@pytest.mark.parametrize("spared", [0, 2])
def test_patch_dropout_keeps_each_patch_at_most_once(spared):
    x = np.arange(13 * 11 * 3, dtype="float32").reshape(13, 11, 3)
    leave_out = PatchDropout(0.5, spared, seed=0)
    assert np.array_equal(numbers(leave_out(x)), x)
    found = numbers(leave_out(x, training=True))
    assert found.shape == (13, 11 - (11 - spared) // 2, 3)
    assert np.array_equal(found[:, :spared], x[:, :spared])
    for row, kept in zip(x, found):
        places = [np.flatnonzero((row == one).all(-1)).item() for one in kept]
        assert len(set(places)) == len(places)
    assert len(np.unique(found[:, :, 0] % 33, axis=0)) > 1  # they differ
    again = numbers(leave_out(x, training=True))
    assert not np.array_equal(again, found)


def test_patch_dropout_drops_all_patches_equally_often():
    x = np.tile(np.arange(7.0)[None, :, None], (1999, 1, 1))
    found = numbers(PatchDropout(0.4, 1, seed=0)(x, training=True))
    assert found.shape[1] == 5  # two of six patches are dropped
    share = [(found == place).any(axis=1).mean() for place in range(7)]
    np.testing.assert_allclose(share, [1.0, *[4 / 6] * 6], atol=0.05)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 0, 3), (2, 1, 3)])
def test_patch_dropout_of_an_input_without_patches_raises(shape):
    with pytest.raises(ValueError, match=r"`x` must be \(B, T, D\)"):
        PatchDropout(0.5, spared=1)(np.ones(shape), training=True)


def test_patch_dropout_keeps_at_least_one_patch():
    x = PatchDropout(1 - 1e-12)(np.ones((2, 5, 3)), training=True)
    assert x.shape == (2, 1, 3)


@pytest.mark.tensorflow_only
def test_patch_dropout_of_an_unknown_number_of_patches_raises():
    import tensorflow as tf

    leave_out = PatchDropout(0.5)
    unknown = tf.TensorSpec((None, None, 3))
    graph = tf.function(lambda x: leave_out(x, training=True))
    with pytest.raises(ValueError, match="a known T"):
        graph.get_concrete_function(unknown)


@pytest.mark.parametrize("pooling, tokens", [("token", 4), ("mean", 3)])
def test_patch_dropout_is_applied_in_training_only(pooling, tokens):
    plain, half = (vit(pooling=pooling, patch_dropout=p) for p in (0.0, 0.5))
    assert np.array_equal(numbers(plain(images())), numbers(half(images())))
    _, weights = half(images(), training=True, return_attention_scores=True)
    assert weights[0].shape == (BATCH, 3, tokens, tokens)
    half.compile("sgd", "mse")
    half.fit(images(), np.ones((BATCH, 7)), epochs=2, verbose=0)
    assert half.resized((9, 20)).config["patch_dropout"] == 0.5


# The model.


@pytest.mark.parametrize("positions", ENCODINGS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_patches_matters_unless_there_are_no_positions(
    positions, pooling
):
    model = vit(position_encoding=positions, pooling=pooling)
    pieces = numbers(model.patch_embedding.patches(images()))
    mixed = model.patch_embedding.patches.join(
        pieces[:, [3, 0, 5, 2, 1, 4]], (6, 15)
    )
    change = np.abs(numbers(model(mixed)) - numbers(model(images()))).max()
    assert change < 1e-5 if positions == "none" else change > 1e-2


@pytest.mark.parametrize("pooling, tokens", [("token", 7), ("mean", 6)])
def test_every_block_returns_its_attention_weights(pooling, tokens):
    model = vit(pooling=pooling, num_layers=2)
    logits, weights = model(images(), return_attention_scores=True)
    assert len(weights) == 2
    for each in weights:
        assert each.shape == (BATCH, 3, tokens, tokens)
        np.testing.assert_allclose(numbers(each).sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(
        numbers(model(images())), numbers(logits), atol=1e-5
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_without_a_head_the_pooled_vector_is_returned(pooling):
    model = vit(num_classes=None, pooling=pooling)
    vectors = model.encode(images())
    vectors = numbers(vectors)
    wanted = vectors[:, 0] if pooling == "token" else vectors.mean(axis=1)
    np.testing.assert_allclose(numbers(model(images())), wanted, atol=1e-6)


@pytest.mark.parametrize(
    "shape", [(3, 6, 14, 2), (3, 15, 6, 2), (3, 6, 15, 3), (6, 15, 2)]
)
def test_an_image_of_another_size_raises(shape):
    with pytest.raises(ValueError, match=r"`images`.*\(6, 15, 2\)"):
        vit()(np.zeros(shape, "float32"))


def test_build_with_another_image_size_raises():
    with pytest.raises(ValueError, match=r"`images`.*\(6, 15, 2\)"):
        ViT(**SMALL_VIT).build((None, 9, 9, 5))


def test_sinusoidal_positions_and_mean_pooling_save_and_load(tmp_path):
    model = vit(
        position_encoding="sinusoidal", pooling="mean", stochastic_depth=0.5
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    assert np.array_equal(numbers(again(images())), numbers(model(images())))


# Stochastic depth.


def test_stochastic_depth_grows_linearly():
    model = vit(num_layers=4, stochastic_depth=0.2)
    rates = [
        [
            residual.stochastic_depth.rate
            for residual in (
                block.attention_residual,
                block.feed_forward_residual,
            )
        ]
        for block in model.blocks
    ]
    assert np.allclose(rates, [[0.05] * 2, [0.1] * 2, [0.15] * 2, [0.2] * 2])


def test_stochastic_depth_is_off_in_inference_and_on_in_training():
    plain, deep = vit(), vit(stochastic_depth=0.7)
    assert np.array_equal(numbers(plain(images())), numbers(deep(images())))
    x = np.repeat(images()[:1], 23, axis=0)
    found = numbers(deep(x, training=True))
    outcomes = np.unique(found.round(3), axis=0)
    assert 2 <= len(outcomes) <= 4  # two sublayers, each skipped or not
    found = numbers(plain(x, training=True))
    assert np.allclose(found, found[0], atol=1e-5)


def test_stochastic_depth_trains_in_a_compiled_step():
    model = vit(stochastic_depth=0.5, num_layers=2)
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.fit(images(), np.ones((BATCH, 7)), epochs=2, verbose=0)
    assert any(not np.array_equal(*w) for w in zip(before, model.get_weights()))


# Positions.


def test_2d_sinusoidal_positions_equal_those_of_big_vision():
    rows, columns, D = 3, 5, 28
    omega = 1 / 10000 ** (np.arange(D // 4) / (D // 4 - 1))
    wanted = [
        np.concatenate(
            [f(place * omega) for place in (x, y) for f in (np.sin, np.cos)]
        )
        for y, x in np.ndindex(rows, columns)
    ]
    found = numbers(sinusoidal_positions_2d(rows, columns, D))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("units", [0, 6, 2.5])
def test_2d_sinusoidal_positions_need_a_multiple_of_4(units):
    with pytest.raises(ValueError, match="units"):
        sinusoidal_positions_2d(3, 5, units)
    assert np.isfinite(numbers(sinusoidal_positions_2d(3, 5, 4))).all()


def test_the_class_token_has_no_sinusoidal_position():
    layer = PatchEmbedding(
        12, (3, 5), (6, 15), channels=2, position_encoding="sinusoidal"
    )
    told = numbers(layer(ops.zeros((1, 6, 15, 2))))[0]
    assert not told[0].any()
    assert np.allclose(told[1:], numbers(sinusoidal_positions_2d(2, 3, 12)))


GRIDS = [((2, 3), (5, 7)), ((5, 7), (2, 3)), ((3, 3), (3, 7)), ((1, 2), (2, 1))]


@pytest.mark.parametrize("old, new", GRIDS)
def test_interpolated_positions_equal_those_of_torch(old, new):
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).normal(size=(1 + np.prod(old), 11))
    grid = torch.tensor(table[1:].reshape(1, *old, 11)).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(
        grid, size=new, mode="bicubic", align_corners=False
    )
    found = interpolated_positions(table, old, new)
    assert np.array_equal(found[0], table[0])
    wanted = grid[0].permute(1, 2, 0).reshape(-1, 11).numpy()
    np.testing.assert_allclose(found[1:], wanted, atol=1e-6)


def test_interpolating_too_few_positions_raises():
    with pytest.raises(ValueError, match=r"`table`.*\(2, 3\).*5 rows"):
        interpolated_positions(np.ones((5, 7)), (2, 3), (3, 3))


@pytest.mark.parametrize("positions", ENCODINGS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_resizing_to_the_same_size_changes_nothing(positions, pooling):
    model = vit(position_encoding=positions, pooling=pooling)
    same = model.resized((6, 15))
    assert np.array_equal(numbers(same(images())), numbers(model(images())))
    assert all(
        np.array_equal(a, b)
        for a, b in zip(model.get_weights(), same.get_weights())
    )


@pytest.mark.parametrize("positions", ENCODINGS)
def test_resizing_changes_only_learned_positions(positions):
    model = vit(position_encoding=positions)
    new = model.resized((9, 20))
    assert new.config == {**model.config, "image_size": (9, 20)}
    assert new(np.zeros((2, 9, 20, 2), "float32")).shape == (2, 7)
    changed = [
        old.path
        for old, weight in zip(model.weights, new.weights)
        if not np.array_equal(numbers(old), numbers(weight))
    ]
    assert len(changed) == (positions == "learned")


def test_a_resized_model_has_its_own_weights():
    model = vit()
    before = numbers(model(images()))
    new = model.resized((9, 20))
    new.set_weights([0 * w for w in new.get_weights()])
    assert np.array_equal(numbers(model(images())), before)


def test_resizing_a_frozen_model_makes_it_trainable(tmp_path):
    model = vit()
    model.trainable = False
    assert len(model.resized((9, 20)).trainable_weights) == len(model.weights)
    model.save(tmp_path / "frozen.keras")
    again = keras.models.load_model(tmp_path / "frozen.keras")
    assert not again.trainable_weights
    again.trainable = True
    assert len(again.trainable_weights) == len(model.weights)


def test_resizing_keeps_the_dtype_policy():
    for dtype in ("mixed_bfloat16", "bfloat16"):
        model = vit(dtype=dtype).resized((9, 20))
        assert model.dtype_policy.name == dtype


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="has no float64 unless told to"
)
def test_a_float64_model_is_resized_and_predicts():
    model = vit(dtype="float64")
    same = model.resized((6, 15))
    for a, b in zip(model.get_weights(), same.get_weights()):
        assert a.dtype == b.dtype == "float64" and np.array_equal(a, b)
    found = same.predict(images(), verbose=0)
    assert found.dtype == "float64"
    np.testing.assert_allclose(found, numbers(model(images())), atol=1e-6)


def test_resizing_to_an_invalid_size_raises():
    with pytest.raises(ValueError, match="not built"):
        ViT(**SMALL_VIT).resized(30)
    with pytest.raises(ValueError, match="`patch_size` must divide"):
        vit().resized((6, 16))
    with pytest.raises(ValueError, match="`image_size`"):
        vit().resized(0)


# Rollout.


def rolled_by_hand(weights):
    """Sum over all paths from a token to a token, layer by layer."""
    (B, H, T, _), found = weights[0].shape, []
    for row in range(B):
        known = np.eye(T)
        for layer in weights:
            mixed = np.zeros((T, T))
            for t in range(T):
                mixed[t] += 0.5 * known[t]
                for s in range(T):
                    for head in range(H):
                        share = 0.5 * layer[row, head, t, s] / H
                        mixed[t] += share * known[s]
            known = mixed
        found.append(known)
    return np.array(found)


def test_attention_rollout_equals_that_of_the_paper():
    _, weights = vit(num_layers=3)(images(), return_attention_scores=True)
    found = attention_rollout(weights)
    wanted = rolled_by_hand([numbers(each) for each in weights])
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, atol=1e-5)


def test_attention_rollout_of_identity_weights_is_the_identity():
    itself = np.broadcast_to(np.eye(5), (2, 3, 5, 5))
    assert np.array_equal(attention_rollout([itself] * 4)[0], np.eye(5))


@pytest.mark.parametrize(
    "shapes", [[], [(3, 5, 5)], [(2, 3, 5, 7)], [(2, 3, 5, 5), (2, 3, 7, 7)]]
)
def test_attention_rollout_of_invalid_weights_raises(shapes):
    with pytest.raises(ValueError, match="`weights` must"):
        attention_rollout([np.ones(shape) for shape in shapes])


def test_a_model_with_patches_has_a_summary(capsys):
    model = vit()
    model(images())
    model.summary()
    plain = keras.Sequential([Patches((3, 5)), keras.layers.Dense(2)])
    plain(images())
    plain.summary()
    assert "(3, 6, 30)" in capsys.readouterr().out


def test_encode_builds_the_model():
    model = ViT(**{**SMALL_VIT, "hidden_dim": 12, "num_heads": 3})
    vectors = model.encode(images())
    assert model.built
    assert numbers(model(images())).shape[0] == len(numbers(vectors))


@pytest.mark.usefixtures("quick_collection")
def test_a_quantized_model_is_not_resized():
    model = vit()
    model.quantize("int8")
    with pytest.raises(ValueError, match="neither quantized"):
        model.resized(model.config["image_size"])
