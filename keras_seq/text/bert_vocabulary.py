"""The files of a published tokenizer: its vocabulary and its options.

`vocab.txt` has a piece on each line; the folders of `transformers` 5 have the
same in `tokenizer.json`. `tokenizer_config.json` has the options. What would
change an id, and cannot be had here, is refused by name.
"""

import json
import pathlib

MARKS = {
    "pad_id": "[PAD]",
    "unknown_id": "[UNK]",
    "start_id": "[CLS]",
    "end_id": "[SEP]",
    "mask_id": "[MASK]",
}
OPTIONS = {  # theirs: ours, and what they may be
    "do_lower_case": ("lower_case", (True, False)),
    "strip_accents": ("strip_accents", (None, True, False)),
    "tokenize_chinese_chars": ("tokenize_chinese_chars", (True, False)),
}
FIXED = {  # what other options must be
    "tokenizer_class": (None, "BertTokenizer", "BertTokenizerFast"),
    "do_basic_tokenize": (None, True),
    "never_split": (None, []),
    **{f"{mark[1:-1].lower()}_token": (None, mark) for mark in MARKS.values()},
}


def read_folder(folder):
    """Give the arguments of a `BERTTokenizer`.

    Args, Raises: as `BERTTokenizer.from_huggingface`.
    """
    folder = pathlib.Path(folder)
    said = _read_json(folder / "tokenizer_config.json", {})
    for option, allowed in FIXED.items():
        _check(option, _content(said.get(option)), allowed)
    found = {}
    for option, (ours, allowed) in OPTIONS.items():
        if option in said:
            _check(option, said[option], allowed)
            found[ours] = said[option]
    added = [
        *_read_json(folder / "added_tokens.json", {}),
        *(said.get("added_tokens_decoder") or {}).values(),
    ]
    vocab, tokenizer = folder / "vocab.txt", folder / "tokenizer.json"
    if vocab.is_file():
        found["vocabulary"] = _read_lines(vocab)
    else:
        said = _read_json(tokenizer, None)
        if said is None:
            raise ValueError(
                f"{vocab} must be there, or else tokenizer.json. Received "
                "neither."
            )
        found["vocabulary"] = _pieces_by_id(tokenizer, said)
        added += said.get("added_tokens", [])
    for token in added:
        _check("added_tokens", _content(token), tuple(MARKS.values()))
    return found


def write_folder(folder, vocabulary, **options):
    """Write `vocab.txt` and `tokenizer_config.json`."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{piece}\n" for piece in vocabulary)
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="\n")
    said = {"tokenizer_class": "BertTokenizer"}
    for option, (ours, _) in OPTIONS.items():
        said[option] = options[ours]
    text = json.dumps(said, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _read_lines(path):
    try:
        return path.read_text("utf-8").removesuffix("\n").split("\n")
    except ValueError as error:
        raise ValueError(f"{path} must hold UTF-8: {error}.") from error


def _pieces_by_id(path, said):
    """Give the pieces of a tokenizer.json, which has ids by piece."""
    model = said.get("model") or {}
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
    """Give the options of a file, or `missing` where there is none."""
    if not path.is_file():
        return missing
    try:
        said = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON: {error}.") from error
    if not isinstance(said, dict):
        raise ValueError(
            f"{path} must hold options by name. Received {said!r}."
        )
    return said


def _content(token):
    """Give the text of a token, which may stand there with its options."""
    return token.get("content") if isinstance(token, dict) else token


def _check(option, value, allowed):
    """Refuse an option that our tokenizer does not have."""
    if value not in allowed:
        known = " or ".join(map(repr, allowed))
        raise ValueError(
            f"`{option}` of a tokenizer must be {known}, which is what can be "
            f"read. Received {option}={value!r}."
        )
