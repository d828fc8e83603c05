"""JSON files of tokenizers: what `Tokenizer.save` writes and `load` reads."""

import json
from pathlib import Path

VERSION = 1


def write_tokenizer(tokenizer, path):
    """Write a tokenizer to a JSON file.

    Args:
        tokenizer: `Tokenizer`.
        path: str or Path.
    """
    saved = {
        "format": f"keras_seq.{type(tokenizer).__name__}",
        "version": VERSION,
        "vocabulary_size": tokenizer.vocabulary_size(),
        "special_tokens_in_strings": tokenizer.special_tokens_in_strings,
        **tokenizer.vocabulary_config(),
    }
    text = json.dumps(saved, ensure_ascii=False, indent=2)
    Path(path).write_text(text + "\n", encoding="utf-8")


def read_tokenizer(cls, path):
    """Read a tokenizer from a JSON file.

    Args:
        cls: subclass of `Tokenizer`.
        path: str or Path.
    Returns:
        an instance of `cls`.
    Raises:
        ValueError: if the file cannot be read or is not one of `cls`.
    """
    try:
        return _read(cls, json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`path` must be a file that {cls.__name__}.save wrote. "
            f"Received path={str(path)!r}: {error!r}"
        ) from error


def _read(cls, saved):
    written_by = saved.pop("format").removeprefix("keras_seq.")
    if written_by != cls.__name__:
        raise ValueError(f"it was written by {written_by}.save.")
    version = saved.pop("version")
    if version != VERSION:
        raise ValueError(f"it has version {version}, not {VERSION}.")
    vocabulary_size = saved.pop("vocabulary_size")
    tokenizer = cls(**saved)
    if tokenizer.vocabulary_size() != vocabulary_size:
        raise ValueError("`vocabulary_size` is not the number of pieces.")
    return tokenizer
