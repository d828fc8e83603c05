"""Files of a published BERT tokenizer: its vocabulary and its options.

`vocab.txt` has one piece per line; the folders of `transformers` 5 have the
same pieces in `tokenizer.json`. `tokenizer_config.json` has the options. An
option that would change an id and is not supported here raises an error.
"""

import json
import pathlib

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
OPTIONS = {  # their name: our name, and the supported values
    "do_lower_case": ("lower_case", (True, False)),
    "strip_accents": ("strip_accents", (None, True, False)),
    "tokenize_chinese_chars": ("tokenize_chinese_chars", (True, False)),
}
FIXED = {  # other options: the supported values
    "tokenizer_class": (None, "BertTokenizer", "BertTokenizerFast"),
    "do_basic_tokenize": (None, True),
    "never_split": (None, []),
    **{f"{name[1:-1].lower()}_token": (None, name) for name in SPECIAL_TOKENS},
}


def read_folder(folder):
    """Read the arguments of a `BERTTokenizer` from a folder.

    Args:
        folder: str or Path.
    Returns:
        dict of arguments.
    Raises:
        ValueError: as `BERTTokenizer.from_huggingface`.
    """
    folder = pathlib.Path(folder)
    config = _read_json(folder / "tokenizer_config.json", {})
    for option, allowed in FIXED.items():
        _check(option, _content(config.get(option)), allowed)
    found = {}
    for option, (ours, allowed) in OPTIONS.items():
        if option in config:
            _check(option, config[option], allowed)
            found[ours] = config[option]
    added = [
        *_read_json(folder / "added_tokens.json", {}),
        *(config.get("added_tokens_decoder") or {}).values(),
    ]
    vocab, tokenizer = folder / "vocab.txt", folder / "tokenizer.json"
    if vocab.is_file():
        found["vocabulary"] = _read_lines(vocab)
    else:
        config = _read_json(tokenizer, None)
        if config is None:
            raise ValueError(
                f"{vocab} must be there, or else tokenizer.json. Received "
                "neither."
            )
        found["vocabulary"] = _pieces_by_id(tokenizer, config)
        added += config.get("added_tokens", [])
    for token in added:
        _check("added_tokens", _content(token), SPECIAL_TOKENS)
    return found


def write_folder(folder, vocabulary, **options):
    """Write `vocab.txt` and `tokenizer_config.json`.

    Args:
        folder: str or Path, created if necessary.
        vocabulary: list of str.
        **options: the other arguments of a `BERTTokenizer`.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{piece}\n" for piece in vocabulary)
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="\n")
    config = {"tokenizer_class": "BertTokenizer"}
    for option, (ours, _) in OPTIONS.items():
        config[option] = options[ours]
    text = json.dumps(config, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _read_lines(path):
    try:
        return path.read_text("utf-8").removesuffix("\n").split("\n")
    except ValueError as error:
        raise ValueError(f"{path} must hold UTF-8: {error}.") from error


def _pieces_by_id(path, config):
    """Sort the pieces of a tokenizer.json, a dict of piece -> id, by id."""
    model = config.get("model") or {}
    ids = model.get("vocab")
    if model.get("type") != "WordPiece" or not isinstance(ids, dict):
        raise ValueError(
            f"{path} must hold a WordPiece model. Received one of type "
            f"{model.get('type')!r}."
        )
    if sorted(ids.values()) != [*range(len(ids))]:
        raise ValueError(f"{path} must hold the ids 0 to n - 1, each once.")
    return sorted(ids, key=ids.get)


def _read_json(path, missing):
    """Read the options of a file; return `missing` if there is no file."""
    if not path.is_file():
        return missing
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(
            f"{path} must hold a dict of options by name. Received {config!r}."
        )
    return config


def _content(token):
    """Return the text of a token, which may be a dict with its options."""
    return token.get("content") if isinstance(token, dict) else token


def _check(option, value, allowed):
    """Raise a ValueError for an option that is not supported."""
    if value not in allowed:
        known = " or ".join(map(repr, allowed))
        raise ValueError(
            f"`{option}` of a tokenizer must be {known}; other values are not "
            f"supported. Received {option}={value!r}."
        )
