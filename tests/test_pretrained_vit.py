"""ViT in the format of `transformers`: equal outputs, and clear errors."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import pretrained
from keras_seq.models import ViT

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
arrays = pytest.importorskip("safetensors.numpy")

HEADS = (1, 2, 3)
SIZES = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "intermediate_size": 31,
    "num_channels": 2,
    "image_size": [9, 15],
    "patch_size": [3, 5],
    "num_labels": 7,
}


def make(kind, folder, num_attention_heads=3, **options):
    """Save a small ViT of different random weights; return it."""
    torch.manual_seed(num_attention_heads)
    sizes = {**SIZES, "num_attention_heads": num_attention_heads}
    config = transformers.ViTConfig(**{**sizes, **options})
    config._attn_implementation = "eager"  # it returns the weights
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0.0, 0.4)
    model.save_pretrained(folder)
    return model


@pytest.fixture(scope="module", params=HEADS)
def published(request, tmp_path_factory):
    """Save a classifier; return it and its folder."""
    folder = tmp_path_factory.mktemp("vit")
    kind = "ViTForImageClassification"
    return make(kind, folder, request.param), folder


first_only = pytest.mark.parametrize("published", HEADS[:1], indirect=True)


@pytest.fixture
def folder(published, tmp_path):
    """Return a copy of the folder that a test may change."""
    for path in published[1].glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def images(H=9, W=15):
    x = np.random.default_rng(0).normal(size=(3, H, W, 2))
    return x.astype("float32")


def expected(model, x, **options):
    """Call a model of `transformers`, whose images have channels first."""
    with torch.no_grad():
        return model(torch.tensor(x.transpose(0, 3, 1, 2)), **options)


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def assert_close(ours, theirs):
    np.testing.assert_allclose(numbers(ours), theirs.float().numpy(), atol=1e-4)


# Loading.


def test_logits_and_attention_weights_equal_those_of_transformers(published):
    theirs, folder = published
    ours = pretrained.load(folder)
    logits, weights = ours(images(), return_attention_scores=True)
    answer = expected(theirs, images(), output_attentions=True)
    assert_close(logits, answer.logits)
    assert len(weights) == len(answer.attentions) == 2
    for a, b in zip(weights, answer.attentions):
        assert_close(a, b)


def test_a_model_without_a_head_returns_its_vectors(tmp_path):
    theirs = make("ViTModel", tmp_path)
    ours = pretrained.load(tmp_path)
    answer = expected(theirs, images()).last_hidden_state
    assert_close(ours.encode(images()), answer)
    assert_close(ours(images()), answer[:, 0])


@pytest.mark.parametrize("size", [25, (10, 25), (45, 5), 5, 15])
def test_resized_logits_equal_those_of_transformers(tmp_path, size):
    """Theirs can be resized if images and patches are square."""
    kind = "ViTForImageClassification"
    theirs = make(kind, tmp_path, image_size=15, patch_size=5)
    ours = pretrained.load(tmp_path, image_size=size)
    x = images(*ours.config["image_size"])
    answer = expected(theirs, x, interpolate_pos_encoding=True)
    assert_close(ours(x), answer.logits)


@first_only
def test_resizing_to_the_published_size_changes_nothing(published):
    ours = pretrained.load(published[1])
    same = pretrained.load(published[1], image_size=(9, 15))
    assert np.array_equal(numbers(ours(images())), numbers(same(images())))


@first_only
@pytest.mark.parametrize("num_classes", [7, 5, None])
def test_num_classes_makes_a_new_head(published, num_classes):
    theirs, folder = published
    ours = pretrained.load(folder, num_classes=num_classes)
    answer = expected(theirs.vit, images()).last_hidden_state
    assert_close(ours.encode(images()), answer)
    assert ours(images()).shape == (3, num_classes or 12)
    if num_classes == 7:  # the same number, but a new head
        assert np.abs(numbers(ours.head.kernel)).max() < 0.1
        assert not numbers(ours.head.bias).any()


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_are_loaded(tmp_path, activation):
    theirs = make("ViTModel", tmp_path, hidden_act=activation)
    ours = pretrained.load(tmp_path)
    answer = expected(theirs, images()).last_hidden_state
    assert_close(ours(images()), answer[:, 0])


def test_a_folder_without_labels_has_two_classes(tmp_path):
    kind = "ViTForImageClassification"
    theirs = make(kind, tmp_path, num_labels=2, image_size=15, patch_size=5)
    ours = pretrained.load(tmp_path)
    x = images(15, 15)
    assert_close(ours(x), expected(theirs, x).logits)


@pytest.mark.parametrize("kind", ["ViTForImageClassification", "ViTModel"])
def test_a_folder_without_an_architecture_is_loaded(tmp_path, kind):
    theirs = make(kind, tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    del config["architectures"]
    path.write_text(json.dumps(config))
    ours, answer = pretrained.load(tmp_path), expected(theirs, images())
    bare = kind == "ViTModel"
    wanted = answer.last_hidden_state[:, 0] if bare else answer.logits
    assert_close(ours(images()), wanted)


@first_only
def test_options_reach_the_model(published):
    ours = pretrained.load(
        published[1],
        dtype="mixed_bfloat16",
        dropout=0.3,
        stochastic_depth=0.2,
        image_size=(6, 5),
    )
    assert ours.dropout.rate == 0.3
    assert ours.config["stochastic_depth"] == 0.2
    assert ours(images(6, 5)).dtype == ops.cast(0, "bfloat16").dtype


@first_only
@pytest.mark.parametrize("size", [{}, {"image_size": (6, 5)}])
def test_a_model_may_be_loaded_frozen(published, size):
    ours = pretrained.load(published[1], trainable=False, **size)
    assert not ours.trainable and not ours.trainable_weights


@first_only
def test_a_file_in_half_precision_is_loaded(published, tmp_path):
    half = transformers.ViTForImageClassification(published[0].config)
    half.to(torch.bfloat16).save_pretrained(tmp_path)
    ours = pretrained.load(tmp_path)
    wanted = expected(half.float().eval(), images()).logits
    assert_close(ours(images()), wanted)


@first_only
def test_a_loaded_model_is_saved_as_keras_file(published, tmp_path):
    ours = pretrained.load(published[1])
    ours.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(numbers(again(images())), numbers(ours(images())))


# Errors.


@first_only
@pytest.mark.parametrize(
    "option, value",
    [
        ("model_type", "deit"),
        ("architectures", ["ViTForMaskedImageModeling"]),
        ("hidden_act", "silu"),
        ("qkv_bias", False),
        ("num_hidden_layers", 0),
        ("num_attention_heads", 5),
        ("intermediate_size", None),
        ("hidden_size", "x"),
        ("num_channels", -1),
        ("image_size", None),
        ("image_size", [9, 15, 3]),
        ("patch_size", 0),
        ("patch_size", 4),
        ("hidden_dropout_prob", None),
        ("attention_probs_dropout_prob", 2),
        ("layer_norm_eps", "x"),
        ("layer_norm_eps", -1),
        ("id2label", 5),
    ],
)
def test_an_unsupported_option_raises(folder, option, value):
    config = json.loads((folder / "config.json").read_text())
    config[option] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=option):
        pretrained.load(folder)


@first_only
@pytest.mark.parametrize(
    "option, value",
    [
        ("pooling", "mean"),
        ("position_encoding", "sinusoidal"),
        ("patch_size", 2),
        ("num_heads", 2),
        ("layer_norm_epsilon", 1e-3),
        ("activation", "relu"),
        ("image_size", 0),
        ("num_classes", 0),
    ],
)
def test_an_option_that_config_json_contradicts_raises(
    published, option, value
):
    with pytest.raises(ValueError, match=option):
        pretrained.load(published[1], **{option: value})


@first_only
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:50])
    with pytest.raises(ValueError, match=name):
        pretrained.load(folder)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=name):
        pretrained.load(folder)


NORM = "vit.encoder.layer.1.layernorm_after.bias"
PATCHES = "vit.embeddings.patch_embeddings.projection.weight"
SPOILS = {  # a change of the tensors, and the error
    "missing": (lambda x: x.pop(NORM), "layer.1.layernorm_after.bias"),
    "left over": (lambda x: x.update({"vit.odd": x[NORM]}), "odd"),
    "of another shape": (
        lambda x: x.update({NORM: x[NORM][:-1]}),
        r"layernorm_after.bias.*\(12,\).*\(11,\)",
    ),
    "turned": (
        lambda x: x.update({PATCHES: x[PATCHES].swapaxes(2, 3).copy()}),
        r"projection.weight.*\(12, 2, 3, 5\).*\(12, 2, 5, 3\)",
    ),
    "twice": (
        lambda x: x.update({NORM.removeprefix("vit."): x[NORM]}),
        "layernorm_after.bias.*twice",
    ),
    "whole numbers": (
        lambda x: x.update({NORM: x[NORM].astype("int32")}),
        "layernorm_after.bias.*floats",
    ),
    "half a head": (lambda x: x.pop("classifier.bias"), "classifier.bias"),
    "no head": (
        lambda x: [x.pop(f"classifier.{name}") for name in ("weight", "bias")],
        "classifier.weight",
    ),
}


@first_only
@pytest.mark.parametrize("spoil, says", SPOILS.values(), ids=SPOILS)
def test_a_wrong_tensor_is_named(folder, spoil, says):
    tensors = arrays.load_file(folder / "model.safetensors")
    spoil(tensors)
    arrays.save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=says):
        pretrained.load(folder)


# Saving.


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("size", [(9, 15), (15, 15)])
def test_transformers_loads_a_saved_model(tmp_path, head, size):
    ours = ViT(
        7 if head else None,
        12,
        image_size=size,
        patch_size=(3, 5),
        num_heads=3,
        num_layers=2,
        channels=2,
        intermediate_dim=31,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-3,
        stochastic_depth=0.3,
    )
    ours.build()
    draw = np.random.default_rng(1)
    ours.set_weights([draw.normal(0, 0.4, w.shape) for w in ours.weights])
    labels = [*"abcdef", "고양이"] if head else None
    pretrained.save(ours, tmp_path, labels=labels)
    x = images(*size)
    if head:
        kind = transformers.ViTForImageClassification
        theirs = kind.from_pretrained(tmp_path).eval()
        assert theirs.config.id2label[6] == "고양이"
        assert_close(ours(x), expected(theirs, x).logits)
    else:
        kind = transformers.ViTModel
        theirs = kind.from_pretrained(tmp_path, add_pooling_layer=False).eval()
        assert_close(ours(x), expected(theirs, x).last_hidden_state[:, 0])
    again = pretrained.load(tmp_path)
    np.testing.assert_array_equal(numbers(again(x)), numbers(ours(x)))


@pytest.mark.parametrize(
    "options, labels, says",
    [
        ({"pooling": "mean"}, None, "pooling"),
        ({"position_encoding": "none"}, None, "position_encoding"),
        ({"activation": "silu"}, None, "activation"),
        ({}, "ab", "labels"),
        ({}, 2, "labels"),
        ({}, ["cat"], "labels"),
        ({}, ["cat", "cat"], "labels"),
        ({}, ["cat", 1], "labels"),
        ({"num_classes": None}, ["cat", "dog"], "labels"),
    ],
)
def test_saving_what_the_format_lacks_raises(tmp_path, options, labels, says):
    size = {"image_size": 4, "patch_size": 2, "num_layers": 1}
    ours = ViT(**{"num_classes": 2, "hidden_dim": 4, **size, **options})
    with pytest.raises(ValueError, match="built"):
        pretrained.save(ours, tmp_path / "none")
    ours.build()
    with pytest.raises(ValueError, match=says):
        pretrained.save(ours, tmp_path / "none", labels=labels)
    assert not (tmp_path / "none").exists()
