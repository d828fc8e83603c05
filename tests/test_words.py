"""Docstrings, words and length of the package's files."""

import ast
import doctest
import inspect
import io
import pathlib
import re
import tokenize

import keras
import numpy as np
import pytest
from keras import ops

import keras_seq
from keras_seq import plots

HOME = pathlib.Path(keras_seq.__file__).parent
FILES = {path.relative_to(HOME).as_posix(): path for path in HOME.rglob("*.py")}
EXAMPLES = [
    *("layers", "models", "generation", "tasks", "text", "training"),
    "evaluation",
]

# Words of one's own for things that have a name, as regular expressions.
RETIRED = [
    *("EncoderBlock", "DecoderBlock", "ConvNet", "Uncached", "OnBERT"),
    *("norm_first", "vocab_size", "keeps_frozen", "first_real", "begin_again"),
    *("untuned", "from_huggingface", "to_huggingface", "small_talk"),
    *("package_docs", "python_docs", "written_dates", "cldr_names"),
    *("_Speaker", "PositionalEncoding", "warmup_cosine", "places"),
    *("chapters?", "speaks?", "spoken", "says?", "said", "tells?", "told"),
    *(
        "looks? (?:at|around|inside|back)",
        "looked(?! up)",
        "go around",
        "goes round",
    ),
    *("who", "whoever", "whom", "anybody", "nobody", "somebody"),
    *("what is (?-i:none)", "(?<!there )(?:is|are|be) (?-i:none)", "the like"),
    r"(?:is|are) no `?(?:int|float|number|str|bool|list|dict|model|array)",
    r"(?:is|are) no `?keras",
    *("such(?! as)", "refuses?", "refused", "give odds", "odds"),
    *("lay a mask", "hidden words?", "is dear", "commonest", "likeliest"),
    *("small network of a block", "what comes in", "at hand", "of yours"),
    *("asks? for", "asked", "wants?", "wishes", "knows?", "known to"),
]
# Allowed: file -> the phrases that are removed before the search.
ALLOWED = {
    "models/image_captioner.py": ["Show, attend and tell"],
    "data/date_tagging.py": ["Nobody remembers"],  # a generated sentence
    # The name of a method of the tokenizer, beside `transformers`'.
    "text/bert_tokenizer.py": ["from_huggingface"],
    "text/bert_tokenizer_files.py": ["from_huggingface"],
    "text/gpt2_tokenizer.py": ["from_huggingface"],
    "text/gpt2_tokenizer_files.py": ["from_huggingface"],
}

# The technical terms of the glossary, in the files where a reader expects them.
TERMS = {
    "layers/simple_rnn.py": ["recurrent neural network", "hidden state"],
    "layers/lstm.py": [
        *("cell state", "forget gate", "input gate", "output gate"),
        *("candidate", "vanishing", "long-term dependenc"),
    ],
    "layers/gru.py": ["reset gate", "update gate", "candidate"],
    "layers/one_hot.py": ["one-hot encoding"],
    "layers/embedding.py": ["one-hot", "embedding", "padding mask", "token"],
    "layers/attention.py": [
        *("attention score", "attention weights", "query", "key", "value"),
        *("causal mask", "alignment", "context vector"),
    ],
    "layers/multi_head_attention.py": [
        *("multi-head attention", "self-attention", "cross-attention"),
        *("query", "key", "value", "padding mask", "causal mask"),
        "key-value cache",
    ],
    "layers/key_value_cache.py": ["key-value cache", "autoregressive"],
    "layers/position_encoding.py": ["positional encoding"],
    "layers/transformer_encoder.py": [
        *("residual connection", "self-attention", "layer normalization"),
        "position-wise feed-forward network",
    ],
    "layers/transformer_decoder.py": ["cross-attention", "causal mask"],
    "layers/patches.py": ["patch"],
    "models/language_model.py": ["logits", "language model", "time step"],
    "models/seq2seq.py": [
        *("encoder", "decoder", "context vector", "bottleneck"),
        *("teacher forcing", "start token", "end token"),
    ],
    "models/scheduled_sampling.py": ["scheduled sampling", "teacher forcing"],
    "models/bahdanau.py": ["attention weights", "alignment", "context vector"],
    "models/luong.py": ["attention weights", "input feeding", "attentional"],
    "models/transformer.py": ["self-attention", "cross-attention", "encoder"],
    "models/gpt.py": ["autoregressive", "causal mask", "key-value cache"],
    "models/bert.py": ["pretrain", "special token", "bidirectional"],
    "models/bert_pretraining.py": [
        *("masked language model", "next sentence prediction", "pretraining"),
    ],
    "models/bert_tasks.py": ["fine-tun", "transfer learning"],
    "models/resnet.py": ["residual connection"],
    "models/image_captioner.py": ["attention weights", "context vector"],
    "models/vit.py": ["patch", "class token", "inductive bias"],
    "generation/samplers.py": [
        *("greedy decoding", "sampling", "temperature", "softmax"),
    ],
    "generation/beam_search.py": ["beam search"],
    "generation/decoding.py": ["autoregressive", "end token"],
    "text/tokenizer.py": ["tokenizer", "vocabulary"],
    "text/wordpiece_tokenizer.py": ["subword"],
    "training/datasets.py": ["teacher forcing"],
    "training/losses.py": ["cross entropy", "softmax", "logits", "padding"],
    "training/metrics.py": ["perplexity", "epoch", "batch"],
    "training/batching.py": ["bucket", "epoch", "batch"],
    "evaluation/gradients.py": [
        *("vanishing gradient", "exploding gradient", "long-term dependency"),
    ],
    "evaluation/ngrams.py": ["baseline", "held-out"],
}

every_file = pytest.mark.parametrize("name", sorted(FILES))


def prose(path):
    """Yield (line number, text) of each comment, docstring and message."""
    text = path.read_text("utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and " " in node.value:  # not a key or a name
            yield node.lineno, node.value


@pytest.mark.once
@every_file
def test_no_retired_word_is_used(name):
    pattern = re.compile(rf"\b(?:{'|'.join(RETIRED)})\b", re.IGNORECASE)
    found = []
    for line, text in prose(FILES[name]):
        for phrase in ALLOWED.get(name, ()):
            text = text.replace(phrase, "")
        text = " ".join(text.split())
        found += [f"{line}: {match}" for match in pattern.findall(text)]
    assert not found


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(TERMS))
def test_the_terms_of_the_field_are_in_their_file(name):
    text = " ".join(FILES[name].read_text("utf-8").lower().split())
    assert not [term for term in TERMS[name] if term not in text]


@pytest.mark.once
@every_file
def test_files_and_functions_are_short(name):
    text = FILES[name].read_text("utf-8")
    assert len(text.splitlines()) <= 300
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions}
    assert not {name: lines for name, lines in long.items() if lines > 40}


# `_initial_epoch` is how Keras's own callback resumes; there is no public way.
# `_keras_mask` is how Keras passes a mask along with a tensor.
ALLOWED_PRIVATE = {"_initial_epoch", "_keras_mask", "_asdict", "_replace"}


@pytest.mark.once
@every_file
def test_no_private_member_of_another_file_is_used(name):
    tree = ast.parse(FILES[name].read_text("utf-8"))
    own = {
        getattr(node, "name", None) or getattr(node, "attr", None)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    }
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }
    used |= {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    private = {n for n in used if re.match(r"_[a-z]", n, re.IGNORECASE)}
    assert not private - own - ALLOWED_PRIVATE


@pytest.mark.once
@every_file
def test_code_is_plain(name):
    tree = ast.parse(FILES[name].read_text("utf-8"))
    imports = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert not imports & {"inspect", "unittest"}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {
        n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
    }
    assert "setattr" not in names
    assert not attributes & {"__signature__", "__mro__", "mro"}


def public_objects():
    """Yield (package, name, object) for every public class and function."""
    for package in [*EXAMPLES, "plots"]:
        module = plots if package == "plots" else getattr(keras_seq, package)
        for name in module.__all__:
            found = getattr(module, name)
            if callable(found):
                yield package, name, found


PUBLIC = {f"{package}.{name}": x for package, name, x in public_objects()}
every_public = pytest.mark.parametrize("name", sorted(PUBLIC))


def names_for_examples():
    """Return the names that every example may use without an import."""
    names = {"keras": keras, "np": np, "ops": ops, "keras_seq": keras_seq}
    for package in EXAMPLES:
        module = getattr(keras_seq, package)
        names |= {name: getattr(module, name) for name in module.__all__}
    return names | {"plots": plots}


# `Task` is the base class of the tasks; each of them has an example.
WITH_EXAMPLE = sorted(PUBLIC.keys() - {"tasks.Task"})


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_every_public_name_has_an_example_that_runs(name):
    text = inspect.cleandoc(PUBLIC[name].__doc__)
    assert "Example:" in text
    # doctest reads the expected output up to a blank line.
    text = re.sub(r"\n(?=\S)", "\n\n", text)
    example = doctest.DocTestParser().get_doctest(
        text, names_for_examples(), name, name, 0
    )
    assert example.examples
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=report.write)
    assert not runner.failures, report.getvalue()


def arguments(found):
    """List the parameters of a class or function by parsing its source."""
    node = PARSED[found.__module__, found.__name__]
    if isinstance(node, ast.ClassDef):
        made = [n for n in node.body if getattr(n, "name", "") == "__init__"]
        fields = [
            n.target.id for n in node.body if isinstance(n, ast.AnnAssign)
        ]
        if not made:
            return fields
        node = made[0]
    args = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [arg.arg for arg in args if arg.arg != "self"]


def parse_all():
    """Map (module, name) of every class and function to its syntax tree."""
    found = {}
    for name, path in FILES.items():
        parts = name.removesuffix(".py").split("/")
        module = ".".join(["keras_seq", *parts]).removesuffix(".__init__")
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found[module, node.name] = node
    return found


PARSED = parse_all()


@pytest.mark.once
@every_public
def test_args_name_every_parameter_one_per_line(name):
    wanted = arguments(PUBLIC[name])
    text = inspect.cleandoc(PUBLIC[name].__doc__) + "\n"
    block = re.search(r"^(?:Args|Attributes):\n((?: +.*\n)+)", text, re.M)
    assert block or not wanted
    given = re.findall(r"^ {4}(\w+): ", block[1], re.M) if block else []
    assert not set(wanted) - set(given) - {"kwargs"}
