"""GPT-2 in the format of `transformers`: equal logits, and clear errors."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import pretrained
from keras_seq.generation import generate
from keras_seq.models import GPT

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

HEADS = (1, 2, 3)


@pytest.fixture(scope="module", params=HEADS)
def published(request, tmp_path_factory):
    """Save a small GPT-2 of random weights; return it and its folder."""
    torch.manual_seed(request.param)
    config = transformers.GPT2Config(
        vocab_size=29,
        n_positions=23,
        n_embd=12,
        n_layer=2,
        n_head=request.param,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=1,
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    folder = tmp_path_factory.mktemp("gpt2")
    model.save_pretrained(folder)
    return model, folder


def numbers(x):
    return ops.convert_to_numpy(x)


def test_logits_equal_those_of_transformers(published):
    theirs, folder = published
    ours = pretrained.load(folder)
    ids = np.random.default_rng(0).integers(0, 29, (3, 17))
    with torch.no_grad():
        expected = theirs(torch.tensor(ids)).logits.numpy()
    np.testing.assert_allclose(numbers(ours(ids)), expected, atol=1e-4)


def test_dropout_may_be_changed_in_loading(published):
    assert pretrained.load(published[1], dropout=0.0).dropout.rate == 0
    with pytest.raises(
        ValueError, match="`layer_norm_epsilon` must be left out"
    ):
        pretrained.load(published[1], layer_norm_epsilon=0.1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_rows_equal_those_of_transformers(published, side):
    """Padding is the id 0; positions count the real tokens."""
    theirs, folder = published
    ours = pretrained.load(folder, pad_id=0)
    ids = np.random.default_rng(0).integers(1, 29, (3, 11))
    for row, length in zip(ids, (11, 7, 2)):
        row[: 11 - length] = 0
        row[:] = row if side == "left" else np.roll(row, length - 11)
    mask = ids != 0
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0)
    with torch.no_grad():
        expected = theirs(
            torch.tensor(ids),
            attention_mask=torch.tensor(mask.astype(int)),
            position_ids=torch.tensor(positions),
        ).logits.numpy()
    found = numbers(ours(ids))
    np.testing.assert_allclose(found[mask], expected[mask], atol=1e-4)


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_other_activations_are_loaded(published, tmp_path, activation):
    config = published[0].config.__class__(
        **{**published[0].config.to_dict(), "activation_function": activation}
    )
    theirs = transformers.GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ids = np.random.default_rng(0).integers(0, 29, (3, 17))
    with torch.no_grad():
        expected = theirs(torch.tensor(ids)).logits.numpy()
    found = numbers(pretrained.load(tmp_path)(ids))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
def test_a_file_in_half_precision_is_loaded(published, tmp_path):
    half = transformers.GPT2LMHeadModel(published[0].config)
    half.to(torch.bfloat16).save_pretrained(tmp_path)
    ids = np.random.default_rng(0).integers(0, 29, (3, 7))
    ours = pretrained.load(tmp_path)
    with torch.no_grad():
        expected = half.float().eval()(torch.tensor(ids)).logits.numpy()
    np.testing.assert_allclose(numbers(ours(ids)), expected, atol=1e-3)


def test_generated_tokens_equal_those_of_transformers(published):
    theirs, folder = published
    ours = pretrained.load(folder)
    ids = np.random.default_rng(1).integers(0, 29, (2, 5))
    found = generate(ours, ids, max_length=11).ids
    expected = theirs.generate(
        torch.tensor(ids),
        attention_mask=torch.ones(2, 5, dtype=int),
        max_new_tokens=11,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    ).numpy()[:, 5:]
    assert np.array_equal(found, expected)


def test_a_loaded_model_is_saved_as_keras_file(published, tmp_path):
    ours = pretrained.load(published[1], dtype="mixed_bfloat16")
    ids = np.random.default_rng(0).integers(0, 29, (3, 5))
    ours.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    a, b = (ops.cast(m(ids), "float32") for m in (ours, again))
    assert np.array_equal(numbers(a), numbers(b))


@pytest.fixture
def folder(published, tmp_path):
    """Return a copy of the folder that a test may change."""
    for path in published[1].glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
@pytest.mark.parametrize(
    "option, value",
    [
        ("model_type", "bert"),
        ("activation_function", "silu"),
        ("scale_attn_by_inverse_layer_idx", True),
        ("add_cross_attention", True),
        ("tie_word_embeddings", False),
        ("n_layer", 0),
        ("n_head", 5),
        ("n_inner", 0),
        ("embd_pdrop", 0.3),
        ("n_embd", None),
        ("resid_pdrop", None),
        ("layer_norm_epsilon", "x"),
        ("layer_norm_epsilon", -1),
    ],
)
def test_an_unsupported_option_raises(folder, option, value):
    config = json.loads((folder / "config.json").read_text())
    config[option] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=option):
        pretrained.load(folder, GPT)


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
def test_attention_dropout_is_loaded(folder):
    config = json.loads((folder / "config.json").read_text())
    config["attn_pdrop"] = 0.3
    (folder / "config.json").write_text(json.dumps(config))
    model = pretrained.load(folder)
    assert model.get_config()["attention_dropout"] == 0.3
    assert model.blocks[0].self_attention.dropout == 0.3
    assert model.get_config()["dropout"] == config["resid_pdrop"]


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:50])
    with pytest.raises(ValueError, match=name):
        pretrained.load(folder, GPT)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=name):
        pretrained.load(folder, GPT)


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
def test_a_config_that_is_not_a_dict_raises(folder):
    (folder / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="by name"):
        pretrained.load(folder, GPT)


@pytest.mark.parametrize("published", HEADS[:1], indirect=True)
@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda x: x.pop("transformer.h.1.ln_2.bias"), "h.1.ln_2.bias"),
        (lambda x: x.update({"transformer.odd": np.zeros(3)}), "odd"),
        (
            lambda x: x.update({"transformer.ln_f.bias": np.zeros(3)}),
            "ln_f.bias.*shape",
        ),
        (
            lambda x: x.update({"ln_f.bias": x["transformer.ln_f.bias"]}),
            "ln_f.bias.*twice",
        ),
        (
            lambda x: x.update(
                {
                    "transformer.ln_f.bias": x["transformer.ln_f.bias"].astype(
                        "int8"
                    )
                }
            ),
            "ln_f.bias.*floats",
        ),
    ],
    ids=["missing", "left over", "of another shape", "twice", "whole numbers"],
)
def test_a_wrong_tensor_is_named(folder, spoil, says):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    spoil(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=says):
        pretrained.load(folder, GPT)
