"""Each lesson of tutorials/: its parts, links, pictures and exercises."""

import pathlib
import re
import runpy

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from keras_seq.training import Lesson

ROOT = pathlib.Path(__file__).parent.parent
TUTORIALS = ROOT / "tutorials"
NOTEBOOKS = runpy.run_path(str(ROOT / "docs" / "notebooks.py"))
blocks, messages = NOTEBOOKS["blocks"], NOTEBOOKS["messages"]
LESSONS = [path.stem for path in sorted(TUTORIALS.glob("*.py"))]
PARTS = [
    *("Question", "What failed", "Diagram", "A worked example"),
    *("The equation", "Code", "Picture", "The number beside a baseline"),
    *("Pitfalls", "Exercises", "Next"),
]
# Of each lesson, what makes it short.
SHORT = {
    "00_before_you_start": {"EPOCHS": 3, "CHARACTERS": 20_000},
    "01_rnn": {"EPOCHS": 1, "CHARACTERS": 20_000},
    "02_gates": {
        **{"LENGTHS": (10, 20), "ROWS": 640, "EPOCHS": 1, "UNITS": 8},
        "JIT": False,
    },
    "03_five_settings": {
        **{"EPOCHS": 1, "LANGUAGES": ("en", "ko"), "SUMS": 256, "CLIPS": 64},
        "JIT": False,
    },
    "04_seq2seq": {
        **{"DATES": 64, "TESTS": 60, "EPOCHS": 1},
        **{"WIDTHS": (4, 8), "NARROW": (2,)},
    },
    "05_attention": {
        **{"DATES": 192, "TESTS": 64, "UNITS": 16},
        **{"EPOCHS": 1, "LONGER_EPOCHS": 1, "BUCKETS": (64,)},
    },
    "06_self_attention": {
        **{"ROWS": 64, "EPOCHS": 1, "LENGTHS": (8, 16)},
        "JIT": False,
    },
    "07_transformer": {
        **{"DATES": 32, "TESTS": 100, "WIDTH": 8, "EPOCHS": 1, "PARTS": 1},
        **{"AMOUNTS": (), "LENGTHS": (2,), "BUCKETS": (64,), "DEPTH": 1},
    },
    "08_gpt": {
        **{"EPOCHS": 1, "CHARACTERS": 20_000, "LAYERS": 1, "WIDTH": 16},
        **{"ROUNDS": 1, "LENGTHS": (10, 20)},
    },
    "09_chatbot": {
        **{"EPOCHS": (1, 1, 1), "TRAINING": 64, "SMALLER": (32,)},
        **{"UNITS": (16, 16, 16), "LAYERS": 1},
    },
    "10_bert": {
        **{"PACKAGES": ("numpy",), "VOCABULARY": 500, "ROUNDS": 1},
        **{"STEPS": 2, "LAYERS": 1, "WIDTH": 16},
    },
    "11_finetuning_sentences": {
        **{"CLASSES": ("asyncio", "email"), "PACKAGES": ("asyncio", "email")},
        **{"VOCABULARY": 300, "LAYERS": 1, "WIDTH": 8, "EPOCHS": 1},
        **{"LABELS": (8, 16), "STEPS": 10, "RATES": ((1e-3, 0.1),)},
        "MODELS": ("mean", "from scratch", "frozen"),
    },
    "12_finetuning_words": {
        **{"SENTENCES": 400, "VOCABULARY": 400, "LAYERS": 1, "WIDTH": 8},
        **{"EPOCHS": 1, "LABELS": (20,), "ASKED": (20,), "STEPS": (4, 4)},
        **{"RATES": (1e-3,), "TESTS": 60},
    },
    "13_vit": {
        **{"EPOCHS": 1, "SIZES": (60, 120), "RATES": (0.006,)},
        "SEEDS": (0,),
    },
    "14_which_model_when": {
        **{"ROAD": ("Transformer",), "LISTS": 64, "TESTS": 8},
        **{"EPOCHS": 1, "BUCKETS": (40,)},
    },
}
# Many models of few steps: tracing would take longer.
EAGER = (
    *("04_seq2seq", "06_self_attention", "07_transformer", "10_bert"),
    *("11_finetuning_sentences", "12_finetuning_words", "14_which_model_when"),
)
# Of each lesson, the terms of the glossary that it explains.
EXPLAINED = {
    "00_before_you_start": [
        *("token", "tokenizer", "vocabulary", "training-set", "held-out"),
        *("baseline", "batch", "time-step", "one-hot-encoding", "embedding"),
        *("logits", "softmax", "cross-entropy", "perplexity", "padding-mask"),
        *("attention-weights", "causal-mask", "epoch"),
        *("tensor", "nat", "gradient"),
    ],
    "01_rnn": [
        *("recurrent-neural-network", "sequence", "hidden-state"),
        *("vanishing-gradient", "exploding-gradient", "long-term-dependency"),
        *("sampling", "temperature"),
        *("backpropagation-through-time", "gradient-clipping"),
    ],
    "02_gates": [
        *("long-term-dependency", "vanishing-gradient", "exploding-gradient"),
        *("cell-state", "forget-gate", "input-gate", "candidate"),
        *("output-gate", "update-gate", "reset-gate"),
    ],
    "03_five_settings": [
        *("padding-mask", "dropout", "end-token", "bidirectional"),
        *("encoder", "decoder", "many-to-many", "many-to-one"),
        "one-to-many",
    ],
    "04_seq2seq": [
        *("encoder", "decoder", "held-out", "context-vector", "start-token"),
        *("end-token", "teacher-forcing", "greedy-decoding", "bottleneck"),
        *("scheduled-sampling", "linear-probe"),
    ],
    "05_attention": [
        *("held-out", "baseline", "encoder", "context-vector", "decoder"),
        *("bottleneck", "teacher-forcing", "query", "key", "value"),
        *("cross-attention", "attention-score", "attention-weights"),
        *("attention-map", "alignment"),
    ],
    "06_self_attention": [
        *("query", "key", "value", "self-attention", "multi-head-attention"),
        *("padding-mask", "causal-mask", "positional-encoding"),
        "cross-attention",
    ],
    "07_transformer": [
        *("positional-encoding", "position-wise-feed-forward-network"),
        *("residual-connection", "layer-normalization", "cross-attention"),
        *("teacher-forcing", "causal-mask", "inductive-bias"),
        "key-value-cache",
    ],
    "08_gpt": [
        *("token", "self-attention", "causal-mask", "key-value-cache"),
        *("greedy-decoding", "sampling", "temperature", "top-k", "top-p"),
        *("beam-search", "autoregressive", "overfitting"),
    ],
    "09_chatbot": [
        *("prompt", "chrf", "start-token", "end-token", "teacher-forcing"),
        *("padding", "greedy-decoding", "test-set", "validation-set"),
        *("sampling", "temperature", "top-p", "attention-map"),
    ],
    "10_bert": [
        *("causal-mask", "bidirectional", "subword", "special-token", "cls"),
        *("sep", "packing", "segment-embedding", "masked-language-model"),
        *("next-sentence-prediction", "pretraining"),
    ],
    "11_finetuning_sentences": [
        *("fine-tuning", "transfer-learning", "pretraining", "cls"),
        *("learning-rate", "validation-set", "linear-probe", "warmup"),
        "overfitting",
    ],
    "12_finetuning_words": [
        *("f1", "token-classification", "span", "subword"),
    ],
    "13_vit": [
        *("vision-transformer", "token", "baseline", "patch", "class-token"),
        *("positional-encoding", "convolutional-neural-network"),
        *("inductive-bias", "attention-rollout"),
    ],
    "14_which_model_when": [
        *("held-out", "context-vector", "validation-set", "baseline"),
        *("bleu", "key-value-cache"),
    ],
}
every_lesson = pytest.mark.parametrize("name", LESSONS)


def cells(name):
    """Split a lesson in percent format: list of (kind, tags, text)."""
    text = (TUTORIALS / f"{name}.py").read_text("utf-8")
    found = []
    for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        head, _, body = cell.partition("\n")
        markdown = "[markdown]" in head
        if markdown:
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        kind = "markdown" if markdown else "code"
        found.append((kind, re.findall(r'"(\w+)"', head), body.strip()))
    return found


def markdown(name):
    return "\n\n".join(b for kind, _, b in cells(name) if kind == "markdown")


def prose(name):
    """Return the paragraphs of a lesson: no code, table, picture, heading."""
    text = re.sub(r"^```.*?^```", "", markdown(name), flags=re.M | re.S)
    text = re.sub(r"^( {4}|\||<|#).*$", "", text, flags=re.M)
    return re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)


def exercises(name):
    """Return (number, check, answer) of each exercise."""
    found, lesson = [], cells(name)
    for (_, tags, stub), (_, _, check), (kind, _, fold) in zip(
        lesson, lesson[1:], lesson[2:]
    ):
        if "exercise" not in tags:
            continue
        assert "raise NotImplementedError" in stub
        assert kind == "markdown" and fold.startswith("<details><summary>")
        assert fold.endswith("</details>")
        number = re.match(r"with lesson\.exercise\((\d+)\):\n", check)[1]
        answer = re.search(r"```python\n(.*?)```", fold, re.DOTALL)[1]
        found.append((int(number), check, answer))
    return found


def shortened(name, code):
    """Return the cell of parameters with the values of `SHORT`."""
    for parameter, value in SHORT[name].items():
        line = re.compile(rf"^{parameter} = .*$", re.MULTILINE)
        code, count = line.subn(f"{parameter} = {value}", code)
        assert count == 1
    return code


def execute(name, folder):
    """Execute a short lesson as a script in a folder; return its variables."""
    variables = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["kernel", "-f", "connection.json"])
        for kind, tags, code in cells(name):
            if kind == "code":
                if "parameters" in tags:
                    code = shortened(name, code)
                exec(compile(code, name, "exec"), variables)
    return variables


def graded(number, check, variables):
    exec(check, variables)
    return variables["lesson"].solved[number]


@pytest.mark.once
@every_lesson
def test_parts_are_in_order(name):
    headings = re.findall(r"^## (.*)$", markdown(name), re.MULTILINE)
    assert headings == PARTS


@pytest.mark.once
@every_lesson
def test_lesson_has_its_line_in_the_index(name):
    index = (TUTORIALS / "README.md").read_text("utf-8")
    assert f"| [`{name}`]({name}.py) |" in index


@pytest.mark.once
@every_lesson
def test_lesson_is_long_enough_and_its_cells_short_enough(name):
    assert len(prose(name).split()) >= 1200
    codes = [body for kind, _, body in cells(name) if kind == "code"]
    assert max(len(code.split("\n")) for code in codes) <= 25


@pytest.mark.once
@every_lesson
def test_lesson_refers_to_two_diagrams_with_alternative_text(name):
    pattern = r"!\[([^\]]+)\]\(\.\./docs/diagrams/(\w+)\.en\.svg\)"
    found = re.findall(pattern, markdown(name))
    assert len({diagram for _, diagram in found}) >= 2


@pytest.mark.once
@every_lesson
def test_lesson_needs_no_command_line(name):
    text = (TUTORIALS / f"{name}.py").read_text("utf-8")
    assert not re.search(r"argv|argparse|input\(|\bRun\b", text)
    assert sum("parameters" in tags for _, tags, _ in cells(name)) == 1


@pytest.mark.once
@every_lesson
def test_terms_are_linked_to_the_glossary_where_first_used(name):
    text = " ".join(prose(name).split())
    links = list(re.finditer(r"\[([\w -]+)\]\(glossary\.md#([\w-]+)\)", text))
    anchors = [link[2] for link in links]
    assert sorted(anchors) == sorted(EXPLAINED[name])
    for link in links:
        before = re.search(rf"\b{link[1]}\b", text[: link.start()], re.I)
        assert not before, f"{link[1]} is used before it is linked"


@pytest.mark.once
@every_lesson
def test_exercises_have_a_stub_a_check_and_a_folded_answer(name):
    numbers = [number for number, _, _ in exercises(name)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 3 <= len(numbers) <= 5
    tasks = re.findall(r"^### Exercise (\d) \(.+\): ", markdown(name), re.M)
    assert [int(task) for task in tasks] == numbers


@pytest.mark.once
@every_lesson
def test_korean_has_each_message_with_its_links_code_and_numbers(name):
    korean = messages(name)
    texts = [body for kind, _, body in cells(name) if kind == "markdown"]
    english = {m for text in texts for _, m, _ in blocks(text)} - {""}
    assert english == set(korean)
    for message, translation in korean.items():
        for kept in (r"\]\(glossary\.md#[\w-]+\)", r"`[^`]+`", r"\d+\.\d+"):
            found = [set(re.findall(kept, m)) for m in (message, translation)]
            assert found[0] == found[1], message
        words = re.sub(r"`[^`]+`|\bid\b", "", message)
        assert bool(re.search("[A-Za-z]", words)) == bool(
            re.search("[가-힣]", translation)
        )


@pytest.mark.tutorial
@every_lesson
def test_short_lesson_fails_stubs_passes_answers_and_shows_figures(
    name, tmp_path, request
):
    if name in EAGER:
        request.getfixturevalue("eager_functions")
    variables = execute(name, tmp_path)
    lesson, tasks = variables["lesson"], exercises(name)
    assert lesson.solved == {number: False for number, _, _ in tasks}
    for number, check, answer in tasks:
        assert not graded(number, check, variables)
        exec(answer, variables)
        assert graded(number, check, variables)
    assert len(lesson.captions) >= 2
    folder = tmp_path / "runs" / name
    report = (folder / "index.html").read_text("utf-8")
    for figure, caption in lesson.captions.items():
        assert len(caption.split()) >= 8
        assert matplotlib.image.imread(folder / f"{figure}.png").size
        assert f'<img src="{figure}.png" alt="{caption}">' in report
    assert len(lesson.numbers) >= 1
    assert "<script" not in report and "http" not in report


def test_check_prints_what_is_wrong(capsys):
    lesson = Lesson("demo")
    with lesson.exercise(1):
        raise NotImplementedError
    with lesson.exercise(2):
        raise AssertionError("count again")  # (pytest changes messages)
    with lesson.exercise(3):
        _ = 1 / 0
    with lesson.exercise(4):
        assert 1 + 1 == 2
    assert lesson.solved == {1: False, 2: False, 3: False, 4: True}
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "Exercise 1: not solved yet.",
        "Exercise 2: not correct yet: count again.",
        "Exercise 3: stopped by ZeroDivisionError: division by zero",
        "Exercise 4: solved.",
    ]


def test_report_escapes_its_text_and_lists_what_was_made(tmp_path, capsys):
    lesson = Lesson("demo", following="01_rnn", folder=tmp_path / "new")
    lesson.show(Figure(), "empty", 'Nothing < "한국어"')
    lesson.compare("accuracy", 0.5, "guessing", 0.25)
    lesson.compare("accuracy", 0.75, "guessing", 0.25)  # the cell run again
    lesson.finish()
    page = (tmp_path / "new" / "index.html").read_text("utf-8")
    assert 'alt="Nothing &lt; &quot;한국어&quot;"' in page
    assert "<td>0.75</td>" in page and "<td>0.5</td>" not in page
    printed = capsys.readouterr().out
    assert str(tmp_path / "new" / "index.html") in printed
    assert "Next lesson: 01_rnn" in printed


def test_figure_without_a_caption_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="`caption` must not be empty"):
        Lesson("demo", folder=tmp_path).show(Figure(), "empty", " ")
