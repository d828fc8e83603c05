"""Small models in one file, those of the package, and look_inside."""

import keras
import numpy as np
import pytest

from keras_seq import demo, plots
from keras_seq.demo.__main__ import main
from keras_seq.models import BERT, GPT, BahdanauSeq2Seq, RecurrentLM, ViT
from keras_seq.text import CharTokenizer

TOKENIZER = CharTokenizer("abc가나")
V = TOKENIZER.vocabulary_size()
IDS = np.array([[5, 6, 7]], "int32")


def small_vit():
    sizes = {"hidden_dim": 8, "num_heads": 2, "num_layers": 1}
    return ViT(5, image_size=8, patch_size=4, channels=1, **sizes)


MAKERS = (
    lambda: RecurrentLM(V, 7, cell="gru"),
    lambda: GPT(V, 8, num_heads=2, num_layers=1),
    lambda: BahdanauSeq2Seq(V, V, 6),
    small_vit,
)


def call(model):
    if isinstance(model, ViT):
        return model(np.ones((1, 8, 8, 1), "float32"))
    if isinstance(model, BahdanauSeq2Seq):
        return model({"source": IDS, "target": IDS})
    return model(IDS)


@pytest.mark.parametrize("make", MAKERS)
def test_a_small_model_comes_back_from_its_file(tmp_path, make):
    model = make()
    call(model)
    tokenizers = {"text": TOKENIZER, "other": CharTokenizer("xy")}
    demo.save_small(tmp_path / "model.npz", model, tokenizers)
    again, loaded = demo.load_small(tmp_path / "model.npz")
    weights = [w.astype("float16") for w in model.get_weights()]
    for expected, found in zip(weights, again.get_weights(), strict=True):
        np.testing.assert_array_equal(expected.astype("float32"), found)
    assert list(loaded) == ["text", "other"]
    assert loaded["text"].characters == TOKENIZER.characters
    np.testing.assert_allclose(
        *map(keras.ops.convert_to_numpy, (call(again), call(model))), atol=1e-2
    )


def test_a_file_must_be_one_of_a_small_model(tmp_path):
    with pytest.raises(ValueError, match="`path` must be a file"):
        demo.load_small(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(ValueError, match="has no config"):
        demo.load_small(tmp_path / "other.npz")


def test_weights_must_fit_into_half_precision(tmp_path):
    model = RecurrentLM(V, 7)
    call(model)
    model.weights[0].assign(1e6 + 0 * model.weights[0])
    with pytest.raises(ValueError, match="`model` must have weights"):
        demo.save_small(tmp_path / "model.npz", model, {})


def test_the_models_of_the_package_have_at_most_10_megabytes():
    folder = demo.answers.files("keras_seq.demo") / "weights"
    sizes = [file.stat().st_size for file in folder.glob("*.npz")]
    assert sum(sizes) < 10e6


def test_only_the_models_of_the_package_are_loaded():
    with pytest.raises(ValueError, match="`name` must be one of"):
        demo.load("dates_of_another_planet")


@pytest.mark.parametrize(
    "text, answer",
    [("5. März 1950", "1950-03-05"), ("2001년 12월 24일", "2001-12-24")],
)
def test_a_date_is_translated_from_the_command_line(capsys, text, answer):
    main(["--date", text])
    assert capsys.readouterr().out == f"{text}  ->  {answer}\n"


@pytest.mark.parametrize(
    "text, mood",
    [("정말 재미있고 감동적인 영화", "positive"), ("지루하다", "negative")],
)
def test_a_review_is_judged(capsys, text, mood):
    found, p = demo.classify_review(text)
    assert (found, p > 0.5) == (mood, True)
    main(["--review", text])
    assert capsys.readouterr().out == f"{text}  ->  {mood} ({p:.0%})\n"


def test_a_long_review_is_refused():
    with pytest.raises(ValueError, match="`text` must have at most 62 tokens"):
        demo.classify_review("정말 재미있는 영화. " * 40)


def test_the_docstring_names_every_model():
    known = set(demo.__doc__.replace(",", "").replace(" _", " ").split())
    for name in demo.names():
        assert {name, name.partition("_")[2]} & known, name


def test_bad_texts_are_named():
    with pytest.raises(ValueError, match="`text` must be a str with text"):
        demo.translate_date(" ")
    with pytest.raises(ValueError, match="`text` must have at most 64"):
        demo.translate_date("1" * 65)
    with pytest.raises(ValueError, match="`model` must be one of"):
        demo.translate_date("1950", model="gru")
    with pytest.raises(ValueError, match="`text` must be a str with text"):
        demo.classify_review("\n")
    with pytest.raises(ValueError, match="`text` must have a"):
        demo.fill_blank("no mask")
    with pytest.raises(ValueError, match=r"`image` must be \(8, 8\)"):
        demo.classify_digit(np.ones((8, 9)))


@pytest.mark.parametrize(
    "model, axes",
    [
        (RecurrentLM(V, 7, cell="lstm"), "forget gate"),
        (GPT(V, 8, num_heads=2, num_layers=1), "layer 1, head 1"),
        (BERT(V, 8, num_heads=2, num_layers=1), "layer 1, head 1"),
    ],
)
def test_look_inside_draws_gates_or_heads(model, axes):
    model.build((None, None))
    figure = plots.look_inside(model, TOKENIZER, "가abc")
    titles = [
        ax.get_title(loc) for ax in figure.axes for loc in ("left", "center")
    ]
    assert axes in titles


def test_look_inside_names_a_bad_argument():
    with pytest.raises(ValueError, match="`text` must be"):
        plots.look_inside(GPT(V, 8, num_heads=2), TOKENIZER, " ")
    with pytest.raises(ValueError, match="`model` must have recurrent"):
        plots.look_inside(keras.layers.Dense(2), TOKENIZER, "ab")


def test_without_arguments_each_model_is_asked(capsys):
    main([])
    said = capsys.readouterr().out
    assert "Sunday, August 2, 1981  ->  1981-08-02\n" in said
    assert "서기 1986년 2월 1일 토요일  ->  1986-02-01\n" in said
