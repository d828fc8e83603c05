"""Plots: a Figure is returned, every character drawn, rcParams unchanged."""

import importlib.util
import io
import warnings

import keras
import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_seq import plots

pytestmark = pytest.mark.once

KOREAN = "안녕, 세계!\n"  # 8 characters, a blank and a line end among them
T, UNITS = len(KOREAN), 11
needs_hangul = pytest.mark.skipif(
    plots.hangul_font() is None, reason="no font with Hangul is installed"
)


def trace(steps=T):
    values = np.random.default_rng(0).uniform(-3, 3, (steps, UNITS))
    gate = 1 / (1 + np.exp(-values))
    return {"forget_gate": gate, "hidden_state": np.tanh(values)[None]}


NORMS = {"칠": [2.0, 0.5, 0.0], "LSTM": [1.0, 0.9, 0.8]}
LOSSES = {"칠": {"train": [3, 2], "validation": [3, 1]}, "LSTM": [2, 1, 1]}
PICTURES = {
    "gates": lambda: plots.gates(trace(), KOREAN),
    "gradient_by_lag": lambda: plots.gradient_by_lag(NORMS),
    "curves": lambda: plots.curves(LOSSES, baselines={"일": 2.5, "이": 2.51}),
    "probabilities": lambda: plots.probabilities(
        np.full((2, 5), 0.2), "칠 lo$", "팔\t"
    ),
    "bars": lambda: plots.bars({"칠": 0.9, "b": 0.8}, {"칠": 0.1}, "accuracy"),
    "embedding_map": lambda: plots.embedding_map(
        np.random.default_rng(0).normal(size=(5, 7)),
        {"칠": ["일", "b", "$"], "d": ["e", "f"]},
    ),
    "clip": lambda: plots.clip(
        np.random.default_rng(0).random((3, 7, 5)), "칠칠팔", "칠팔팔"
    ),
    "captions": lambda: plots.captions(
        np.random.default_rng(0).random((11, 7, 5)),
        "칠" * 11,
        "칠팔" * 5 + "칠",
    ),
    "attention_maps": lambda: plots.attention_maps(
        np.random.default_rng(0).random((11, 6, 15, 3)),
        np.random.default_rng(1).random((11, 2, 3)),
        ["칠"] * 11,
    ),
    "word_maps": lambda: plots.word_maps(
        np.random.default_rng(0).random((2, 6, 15, 3)),
        [np.ones((3, 2, 3)), np.ones((1, 2, 3))],
        ["칠ab", "$"],
    ),
    "patches": lambda: plots.patches(
        np.zeros((6, 15, 1)), np.zeros((2, 3, 3, 5, 1)), np.zeros((6, 15, 1))
    ),
    "position_similarity": lambda: plots.position_similarity(
        np.random.default_rng(0).normal(size=(6, 5)), (2, 3)
    ),
    "alignment": lambda: plots.alignment(
        np.full((2, 3), 1 / 3), "칠 $", ["팔", "[END]"], [(0, 2), (0, 0)]
    ),
    "attention_heads": lambda: plots.attention_heads(
        [np.full((5, 2, 3), 1 / 3)] * 2, "칠 $", ["팔", "[END]"]
    ),
    "confusion_matrix": lambda: plots.confusion_matrix(
        [0, 1, 1], [0, 1, 0], "칠팔구"
    ),
}


def draw(figure):
    figure.savefig(io.BytesIO(), format="png", dpi=50)


def words(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@needs_hangul
@pytest.mark.parametrize("name", PICTURES)
def test_korean_is_drawn_with_no_glyph_missing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(PICTURES[name]())


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_a_figure_with_legible_text(name):
    figure = PICTURES[name]()
    draw(figure)
    assert isinstance(figure, Figure)
    written = [text for text in figure.findobj(Text) if text.get_text()]
    assert min(text.get_fontsize() for text in written) >= 9


@pytest.mark.parametrize(
    "name",
    sorted({*PICTURES} - {"clip", "captions", "bars", "patches", "word_maps"}),
)
def test_both_axes_are_named(name):
    figure = PICTURES[name]()
    assert any(axes.get_xlabel() for axes in figure.axes)
    assert any(axes.get_ylabel() for axes in figure.axes)


def test_pictures_leave_the_global_settings_alone():
    before = dict(matplotlib.rcParams)
    for picture in PICTURES.values():
        draw(picture())
    assert dict(matplotlib.rcParams) == before


def test_korean_without_a_font_warns_with_the_package_to_install(monkeypatch):
    plain = [
        font
        for font in font_manager.fontManager.ttflist
        if font.name not in plots.HANGUL_FONTS
    ]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", plain)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"keras_seq\[tutorials\]"):
        plots.font_family("안녕")


def test_latin_text_needs_no_other_font():
    assert plots.font_family("naïve ␣⏎") == ["DejaVu Sans"]


@pytest.mark.parametrize("sign", plots.VISIBLE.values())
def test_every_sign_for_a_blank_is_in_the_font(sign):
    path = font_manager.findfont("DejaVu Sans")
    letters = font_manager.get_font(path).get_charmap()
    assert all(ord(char) in letters for char in sign)


def test_gates_are_named_over_the_characters_of_the_sentence():
    figure = plots.gates(trace(), KOREAN)
    ticks = [tick.get_text() for tick in figure.axes[1].get_xticklabels()]
    assert ticks == list("안녕,␣세계!⏎")
    assert figure.axes[0].get_title("left") == "forget gate"


def test_gates_span_0_to_1_and_states_are_symmetric_about_0():
    figure = plots.gates(trace(), KOREAN)
    gate, state = (axes.images[0].get_clim() for axes in figure.axes[:2])
    assert gate == (0, 1)
    assert state[0] == -state[1]


def test_gates_draw_the_names_and_units_asked_for():
    figure = plots.gates(trace(), KOREAN, names=["hidden_state"], units=3)
    assert figure.axes[0].images[0].get_array().shape == (3, T)
    assert figure.axes[0].get_title("left") == "hidden state"


def test_gates_take_words_and_backend_tensors():
    values = keras.ops.ones((1, 2, UNITS))
    figure = plots.gates({"update_gate": values}, ["the end", "끝"])
    assert "the␣end" in words(figure)


def test_gradients_are_relative_to_lag_0():
    figure = plots.gradient_by_lag({"rnn": [4.0, 2.0, 1.0]})
    assert figure.axes[0].lines[0].get_ydata().tolist() == [1, 0.5, 0.25]


def test_a_gradient_of_exactly_0_is_on_the_floor_and_in_the_legend():
    figure = plots.gradient_by_lag({"rnn": [1.0, 0.1, 0.0, 0.0]})
    assert figure.axes[0].lines[1].get_xdata().tolist() == [2, 3]
    assert "exactly 0 (off the scale)" in words(figure)


def test_no_zero_needs_no_note():
    figure = plots.gradient_by_lag({"rnn": [1.0, 0.1]})
    assert "exactly 0 (off the scale)" not in words(figure)


def test_lines_differ_in_colour_dashes_and_marker():
    figure = plots.gradient_by_lag({name: [1.0, 0.5] for name in "abc"})
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata())]
    for look in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 3


def test_baselines_close_together_keep_their_names_apart():
    figure = plots.curves({"rnn": [3, 1]}, baselines={"a": 2, "b": 2.001})
    low, high = (text.get_position()[1] for text in figure.axes[0].texts)
    assert high - low > 0.05  # of the axis


def test_baselines_have_their_names_beside_them_on_a_log_axis():
    levels = {"a": 0.01, "b": 1.0}
    lines = {"rnn": [10.0, 1.0, 0.001]}
    (axes,) = plots.curves(lines, baselines=levels, log=True).axes
    for text, value in zip(axes.texts, levels.values()):
        at = axes.transAxes.transform((0, text.get_position()[1]))
        assert np.isclose(axes.transData.inverted().transform(at)[1], value)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("value", [0.001, 2.0, 50.0])
def test_a_baseline_far_from_the_curves_has_its_label_beside_it(log, value):
    figure = plots.curves({"rnn": [1.0, 2.0]}, baselines={"a": value}, log=log)
    draw(figure)  # only now are the limits final
    (axes,) = figure.axes
    height = axes.transData.transform((0, value))[1]
    expected = axes.transAxes.inverted().transform((0, height))[1]
    assert np.isclose(axes.texts[0].get_position()[1], expected)


def test_a_dollar_sign_is_drawn_and_powers_are_formatted():
    for figure in (
        plots.bars({"a": 1.0}, {}, "$5 $6 {", "제목 $5 $6 {"),
        plots.curves({"$a$": [1, 2]}, baselines={"$\\frac$": 1.5}),
    ):
        draw(figure)
    assert not figure.axes[0].texts[0].get_parse_math()
    figure = plots.curves({"a": [0.001, 1000]}, log=True)
    draw(figure)
    ticks = figure.axes[0].get_yticklabels(which="both")
    powers = [text for text in ticks if "$" in text.get_text()]
    assert powers and all(text.get_parse_math() for text in powers)


def test_a_diverged_training_still_gives_a_curve():
    draw(plots.curves({"rnn": [1.0, np.inf, np.nan]}))


def test_each_probability_is_written_in_its_cell():
    figure = plots.probabilities([[0.25, 0.75]], "ab", "a")
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "0.25",
        "0.75",
    ]


def test_each_bar_has_its_number():
    figure = plots.bars({"a": 0.5, "b": 0.25}, {"b": 0.125}, "accuracy")
    assert {"0.5", "0.25", "0.125"} <= set(words(figure))


def test_a_wrong_prediction_is_crossed():
    figure = plots.clip(np.zeros((2, 3, 5)), [1, 2], [1, 7])
    assert [axes.get_xlabel()[-1] for axes in figure.axes] == ["✓", "✗"]


@pytest.mark.parametrize(
    ("rule", "picture"),
    [
        ("`trace` must", lambda: plots.gates({}, "ab")),
        ("forget_gate.* must", lambda: plots.gates({"forget_gate": [1]}, "a")),
        ("`text` must", lambda: plots.gates(trace(), KOREAN + "!")),
        ("`names` must", lambda: plots.gates(trace(), KOREAN, ["reset_gate"])),
        ("`units` must", lambda: plots.gates(trace(), KOREAN, units=0)),
        ("`norms` must", lambda: plots.gradient_by_lag({})),
        ("rnn.* must", lambda: plots.gradient_by_lag({"rnn": [0.0, 1.0]})),
        ("rnn.* must", lambda: plots.gradient_by_lag({"rnn": [1.0, -1.0]})),
        ("rnn.* must", lambda: plots.gradient_by_lag({"rnn": [1, np.inf]})),
        ("`histories` must", lambda: plots.curves([1, 2])),
        ("rnn.* must", lambda: plots.curves({"rnn": [[[1, 2]]]})),
        ("`steps` must", lambda: plots.probabilities([0.5, 0.5], "ab", "a")),
        ("`steps` must", lambda: plots.probabilities([[0.5, 0.1]], "ab", "a")),
        ("`symbols` must", lambda: plots.probabilities([[1.0]], "ab", "a")),
        ("`inputs` must", lambda: plots.probabilities([[1.0]], "a", "ab")),
        ("`values` must", lambda: plots.bars({}, {}, "accuracy")),
        ("`values.*finite", lambda: plots.bars({"a": np.nan}, {}, "y")),
        ("`baselines` must", lambda: plots.bars({"a": 1}, {"b": 1}, "y")),
        ("`frames` must", lambda: plots.clip(np.zeros((3, 5)), "abc")),
        ("`labels` must", lambda: plots.clip(np.zeros((2, 3, 5)), "abc")),
        (
            "`predictions` must",
            lambda: plots.clip(np.zeros((2, 3, 5)), "ab", "a"),
        ),
    ],
)
def test_bad_input_raises_an_error_with_its_name(rule, picture):
    with pytest.raises(ValueError, match=rule):
        picture()


def test_curves_have_the_given_positions_and_a_log_axis():
    figure = plots.curves({"RNN": [1.0, 100.0]}, x=[50, 200], log=True)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert list(axes.get_xticks()) == [50, 200]


def test_a_wrong_caption_is_coloured_and_the_true_one_added():
    figure = plots.captions(np.zeros((2, 7, 5)), ["one", "two"], ["one", "six"])
    right, wrong = (axes.xaxis.label for axes in figure.axes)
    assert right.get_text().strip() == "one ✓"
    assert wrong.get_text() == "two ✗\nnot six"
    assert (right.get_color(), wrong.get_color()) == (
        "black",
        plots.drawing.VERMILION,
    )


def test_confusion_shows_the_shares_of_each_class_that_occurs():
    figure = plots.confusion_matrix(
        [0, 0, 0, 2], [0, 0, 1, 1], ["de", "en", "ko"]
    )
    shares = figure.axes[0].images[0].get_array()
    assert np.allclose(shares, [[2 / 3, 1 / 3, 0], [0, 1, 0]])
    rows = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert rows == ["de", "ko"]


@pytest.mark.parametrize(
    "message, call",
    [
        ("`y_pred` must", lambda: plots.confusion_matrix([0, 1], [0], "ab")),
        ("`y_pred` must", lambda: plots.confusion_matrix([0, 1], [0, 2], "ab")),
        (
            "`y_true` must",
            lambda: plots.confusion_matrix([0, -1], [0, 1], "ab"),
        ),
        ("`y_true` must", lambda: plots.confusion_matrix([], [], "ab")),
        (
            "`y_true` must",
            lambda: plots.confusion_matrix([0.0, 1.0], [0, 1], "ab"),
        ),
        ("`images` must", lambda: plots.captions([[1.0]], "a", "a")),
        (
            "`targets` must",
            lambda: plots.captions(np.zeros((2, 3, 5)), "ab", "a"),
        ),
    ],
)
def test_predictions_must_match_their_targets(message, call):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("shape", [(6, 15), (6, 15, 1), (6, 15, 3)])
def test_an_attention_map_covers_its_whole_image(shape):
    images = np.random.default_rng(0).normal(size=(3, *shape))
    maps = np.random.default_rng(1).random((3, 2, 3))
    figure = plots.attention_maps(images, maps)
    draw(figure)
    above, below = figure.axes[1], figure.axes[4]  # of the second image
    (image,), (same, looks) = above.images, below.images
    assert np.array_equal(image.get_array(), same.get_array())
    assert np.array_equal(looks.get_array(), maps[1])
    assert looks.get_extent() == image.get_extent()
    assert looks.get_clim() == (0, maps[1].max())


@pytest.mark.parametrize(
    "bad, name",
    [
        ({"images": np.zeros((2, 3, 5, 2))}, "images"),
        ({"images": np.zeros((3, 5))}, "images"),
        ({"maps": np.zeros((3, 1, 1))}, "maps"),
        ({"maps": np.full((2, 1, 1), -0.1)}, "maps"),
        ({"maps": np.full((2, 1, 1), np.nan)}, "maps"),
        ({"texts": "a"}, "texts"),
    ],
)
def test_attention_maps_must_match_their_images(bad, name):
    good = {"images": np.zeros((2, 3, 5)), "maps": np.zeros((2, 1, 1))}
    draw(plots.attention_maps(**good, texts="ab"))
    with pytest.raises(ValueError, match=f"`{name}`"):
        plots.attention_maps(**{**good, **bad})


def test_a_word_map_leaves_the_most_attended_part_as_it_is():
    image = np.random.default_rng(0).random((6, 15, 3))
    maps = [[[[0.1, 0.4, 0.2], [0.0, 0.1, 0.2]]]]
    figure = plots.word_maps(image[None], maps, [["칠"]])
    draw(figure)
    _, veil = figure.axes[1].images
    darkness = veil.get_array()[..., 3]
    assert darkness[0, 1] == 0 and darkness.argmax() == 3
    assert veil.get_extent() == figure.axes[1].images[0].get_extent()


@pytest.mark.parametrize(
    "bad, name",
    [
        ({"images": np.zeros((1, 6, 6))}, "images"),
        ({"maps": []}, "maps"),
        ({"maps": [np.full((2, 1, 1), -0.1)]}, "maps"),
        ({"words": [["a"]]}, "words"),
    ],
)
def test_word_maps_must_match_their_images(bad, name):
    good = {"images": np.zeros((1, 6, 6, 3)), "words": [["a", "b"]]}
    good["maps"] = [np.ones((2, 1, 1))]
    draw(plots.word_maps(**good))
    with pytest.raises(ValueError, match=f"`{name}`"):
        plots.word_maps(**{**good, **bad})


@pytest.mark.parametrize(
    "bad, name",
    [
        ({"weights": [[2.0, 0.0]]}, "weights"),
        ({"spans": [(0, 1), (1, 2)]}, "spans"),
        ({"source": "abc"}, "source"),
    ],
)
def test_an_alignment_must_match_its_tokens(bad, name):
    good = {"weights": [[0.5, 0.5]], "source": "칠$", "target": "a"}
    draw(plots.alignment(**good, title="$x", spans=[(0, 2)]))
    with pytest.raises(ValueError, match=f"`{name}`"):
        plots.alignment(**{**good, **bad})


def test_every_head_of_every_layer_is_drawn():
    weights = np.random.default_rng(0).random((3, 5, 2, 7))
    figure = plots.attention_heads(list(weights), "abcdefg", "12")
    assert len(figure.axes) == 15
    for axes, drawn in zip(figure.axes, weights.reshape(15, 2, 7)):
        assert np.array_equal(axes.images[0].get_array(), drawn)
    with pytest.raises(ValueError, match="`source`"):
        plots.attention_heads(list(weights), "abc", "12")


def test_long_labels_do_not_overlap():
    weights = [np.full((2, 2, 2), 0.5)]
    axes = plots.attention_heads(weights, ["[START]", "a"], "ab").axes[0]
    assert [x.get_rotation() for x in axes.get_xticklabels()] == [90, 0]


def test_patches_are_separated_by_lines():
    image = np.random.default_rng(0).random((6, 15, 3))
    cut = image.reshape(2, 3, 3, 5, 3).swapaxes(1, 2)
    figure = plots.patches(image, cut, image)
    draw(figure)
    whole, apart, again = (
        np.asarray(axes.images[0].get_array()) for axes in figure.axes
    )
    assert apart.shape == (5 * 6 + 1, 5 * 15 + 2, 3)
    seen = np.delete(np.delete(apart, 15, 0), [25, 51], 1)
    assert np.array_equal(seen[::5, ::5], whole)
    assert np.array_equal(again, whole)
    assert np.ptp(apart[15], axis=0).max() == 0  # a line


def test_the_map_of_a_patch_is_its_cosine_with_each_patch():
    vectors = np.random.default_rng(0).normal(size=(6, 5))
    axes = plots.position_similarity(vectors, (2, 3)).axes[0]
    drawn = np.asarray(axes.images[0].get_array())
    assert drawn.shape == (2 * 2 + 1, 3 * 3 + 2)
    one, two = vectors[4], vectors[2]  # places (1, 1) and (0, 2)
    cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
    assert drawn[3 + 0, 4 + 2] == pytest.approx(cosine)


def test_several_runs_are_a_mean_on_a_band():
    runs = np.array([[0.1, 0.5, 0.7], [0.3, 0.7, 0.9]])
    figure = plots.curves({"ViT": runs}, "accuracy", x=[10, 25, 100])
    draw(figure)
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.2, 0.6, 0.8])
    band = axes.collections[0].get_paths()[0].vertices
    assert {*runs.ravel()} <= {*band[:, 1]}


@pytest.mark.parametrize(
    "name, call",
    [
        (
            "`grid` must have",
            lambda: plots.position_similarity(np.ones((5, 2)), (2, 3)),
        ),
        (
            "`image` and `joined` must have",
            lambda: plots.patches(
                np.ones((2, 2, 1)), np.ones((1, 1, 2, 2, 1)), np.ones((2, 3, 1))
            ),
        ),
    ],
)
def test_patches_and_positions_must_match_the_grid(name, call):
    with pytest.raises(ValueError, match=name):
        call()
