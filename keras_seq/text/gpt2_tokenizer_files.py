"""Files of a published GPT-2 tokenizer: `vocab.json` and `merges.txt`.

A piece is a sequence of bytes. The files write each byte as one printable
character: the printable ones of Latin-1 as themselves, the 68 others as the
characters from U+0100 on. A space is written as "Ġ". The folders of
`transformers` 5 have both parts in `tokenizer.json`.
"""

import json
import pathlib
from functools import cache

END_OF_TEXT = "<|endoftext|>"


@cache
def byte_characters():
    """Return the printable character of each byte: tuple of 256 str.

    Example:
        >>> from keras_seq.text.gpt2_tokenizer_files import byte_characters
        >>> byte_characters()[ord("a")], byte_characters()[ord(" ")]
        ('a', 'Ġ')
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return tuple(
        chr(byte if byte in printable else 256 + others.index(byte))
        for byte in range(256)
    )


def read_folder(folder):
    """Read the arguments of a `GPT2Tokenizer` from a folder.

    Args:
        folder: str or Path.
    Returns:
        dict of `vocabulary` and `merges`.
    Raises:
        ValueError: as `GPT2Tokenizer.from_huggingface`.
    """
    folder = pathlib.Path(folder)
    if (folder / "vocab.json").is_file():
        ids = _read_json(folder / "vocab.json")
        lines = _read_text(folder / "merges.txt").split("\n")
        merges = [line for line in lines if line and line[:9] != "#version:"]
    else:
        ids, merges = _read_tokenizer_json(folder / "tokenizer.json")
    if sorted(ids.values()) != [*range(len(ids))]:
        raise ValueError(f"{folder} must hold the ids 0 to n - 1, each once.")
    return {"vocabulary": sorted(ids, key=ids.get), "merges": merges}


def _read_tokenizer_json(path):
    """Read the ids and the merges of a tokenizer.json."""
    config = _read_json(path)
    model = config.get("model") or {}
    splitter = config.get("pre_tokenizer") or {}
    byte_level = splitter.get("type") == "ByteLevel"
    if model.get("type") != "BPE" or not byte_level:
        raise ValueError(
            f"{path} must hold a byte-level BPE model. Received a model of "
            f"type {model.get('type')!r} with {splitter.get('type')!r}."
        )
    if splitter.get("add_prefix_space") or config.get("normalizer"):
        raise ValueError(
            f"{path} must have no normalizer and add_prefix_space=False, as "
            "GPT-2; other values are not supported."
        )
    ids = dict(model["vocab"])
    for token in config.get("added_tokens", []):
        ids[token["content"]] = token["id"]
    merges = [
        merge if isinstance(merge, str) else " ".join(merge)
        for merge in model["merges"]
    ]
    return ids, merges


def write_folder(folder, vocabulary, merges):
    """Write `vocab.json`, `merges.txt` and `tokenizer_config.json`.

    Args:
        folder: str or Path, created if necessary.
        vocabulary: list of str.
        merges: list of str.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ids = {piece: n for n, piece in enumerate(vocabulary)}
    config = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}
    lines = ["#version: 0.2", *merges]
    for name, text in (
        ("vocab.json", json.dumps(ids, ensure_ascii=False)),
        ("merges.txt", "\n".join(lines)),
        ("tokenizer_config.json", json.dumps(config, indent=2)),
    ):
        (folder / name).write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _read_json(path):
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} must hold JSON: {error}.") from error


def _read_text(path):
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must hold UTF-8: {error}.") from error
