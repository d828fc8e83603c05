"""The README is correct: its tables are current and its examples run."""

import pathlib
import re

import pytest

from benchmarks import results

TEXT = pathlib.Path(results.ROOT, "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", results.PAGES)
def test_tables_are_those_of_the_kept_files(page):
    assert results.fresh(page) == (results.ROOT / page).read_text("utf-8")


def published(folder):
    """Write folders as `transformers` does: a small GPT-2 and a small BERT."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    backend = tokenizers.ByteLevelBPETokenizer()
    backend.train_from_iterator(
        ["Once upon a time there was"] * 3,
        300,
        special_tokens=["<|endoftext|>"],
    )
    (folder / "gpt2").mkdir()
    backend.save_model(str(folder / "gpt2"))
    config = transformers.GPT2Config(
        vocab_size=backend.get_vocab_size(),
        n_positions=32,
        n_embd=8,
        n_layer=1,
        n_head=2,
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder / "gpt2")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "is", "."]
    config = transformers.BertConfig(
        vocab_size=len(tokens),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    transformers.BertForPreTraining(config).save_pretrained(folder / "bert")
    (folder / "bert" / "vocab.txt").write_text("\n".join(tokens))


def test_examples_run(capsys, tmp_path, monkeypatch):
    published(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(code, "README.md", "exec"), names)
    assert "forget_gate" in capsys.readouterr().out


def test_the_table_has_every_file_of_layers_and_models():
    named = re.findall(r"`keras_seq/((?:layers|models)/\w+)\.py`", TEXT)
    assert len(set(named)) == len(named)
    home = results.ROOT / "keras_seq"
    there = {
        f"{path.parent.name}/{path.stem}"
        for folder in ("layers", "models")
        for path in (home / folder).glob("*.py")
    }
    assert {*named} == there - {
        "layers/__init__",
        "layers/initializers",
        "layers/trainable",
        "models/__init__",
        "models/servable_model",
    }


def test_links_lead_to_files():
    pages = list(results.ROOT.glob("*.md"))
    for folder in ("docs", "tutorials", "experiments"):
        pages += (results.ROOT / folder).rglob("*.md")
    for page in pages:
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
        # On the site the look-inside page lies beside the languages.
        links = [x.replace("../look/", "../look/page/") for x in links]
        absent = [link for link in links if not (page.parent / link).exists()]
        assert not absent, page


def test_the_korean_readme_has_the_same_code_files_and_links():
    korean = (results.ROOT / "README.ko.md").read_text("utf-8")
    links = r"\]\((?!docs)[^)]+\.py\)"
    for part in (r"```.*?```", r"`keras_seq/[^`]+`", links):
        found = [re.findall(part, text, re.DOTALL) for text in (TEXT, korean)]
        assert found[0] == found[1]


def test_the_readme_has_at_most_150_lines():
    assert len(TEXT.splitlines()) <= 150
