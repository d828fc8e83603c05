"""Export the small models for the page: trained, and with initial weights.

Each file is gzipped ONNX with weights in float16; a model that decodes is two
files, `NAME_start` and `NAME_step`. `manifest.json` says how large each is and
which weights it was made from, and holds what the page needs beside them:
vocabularies, titles of the lessons, and the units of the character models with
a visible meaning.
"""

import gzip
import hashlib
import json
import pathlib
import tempfile

import keras

from keras_seq.demo.store import load_small
from keras_seq.export import export_onnx, export_onnx_decoder, write_onnx
from keras_seq.models import GPT, BERTPretrainer
from look import corpus, notes, switches, units
from look.initial_values import attend_near

MANIFEST = "manifest.json"
WEIGHTS = pathlib.Path("keras_seq/demo/weights")
DECODED = ("dates_seq2seq", "dates_bahdanau", "dates_luong")
PARTS = ("_start", "_step")
IN_PYTHON_ONLY = ("reviews",)


def export_all(folder, weights=WEIGHTS):
    """Write every model, and the manifest, to a folder.

    Args:
        folder: str or Path, is created. Files of which `made_from` is the same
            are kept.
        weights: Path, the folder of the models.
    Returns:
        dict, the manifest.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in shown(weights):
        export_one(path, folder)
    return collect(folder)


def shown(weights=WEIGHTS):
    """List the files of the models on the page."""
    found = sorted(pathlib.Path(weights).glob("*.npz"))
    return [path for path in found if path.stem not in IN_PYTHON_ONLY]


def sha256(path):
    """Return the SHA-256 of a file: str."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def made_from(path):
    """Return a hash of weights, of `look` and of the text that is measured."""
    code = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    parts = [*map(sha256, [path, *code]), *corpus.quoted_lines()[1]]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def collect(folder):
    """Return the manifest of what is in a folder."""
    manifest = {"tokenizers": {}, "units": {}, "forgetting": {}, "sha256": {}}
    manifest["lessons"] = notes.lesson_titles()
    for path in sorted(folder.glob("*.json")):
        if path.name == MANIFEST:
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        manifest["sha256"][path.stem] = found["sha256"]
        manifest["tokenizers"] |= found["tokenizers"]
        manifest["units"] |= found["units"]
        manifest["patches"] = found.get("patches") or manifest.get("patches")
        for weights, curves in found.get("forgetting", {}).items():
            manifest["forgetting"].setdefault(weights, {}).update(curves)
    for path in sorted(folder.glob("*.onnx.gz")):
        name = path.name.removesuffix(".onnx.gz")
        manifest[name] = {"file": path.name, "bytes": path.stat().st_size}
    return manifest


def export_one(path, folder):
    """Write one model, trained and untrained, unless that was done.

    Returns:
        dict of its `tokenizers`, and of its `units` with a meaning.
    """
    written = folder / f"{path.stem}.json"  # the last file
    if written.exists():
        found = json.loads(written.read_text(encoding="utf-8"))
        if found.get("made_from") == made_from(path):
            return found
    model, tokenizers = load_small(path)
    both = {"trained": model, "untrained": untrained(model)}
    found = {"sha256": sha256(path), "made_from": made_from(path)}
    found |= beside(path.stem, both, tokenizers)
    for weights, each in both.items():
        suffix = "" if weights == "trained" else "_untrained"
        write_gzipped(path.stem + suffix, each, folder)
    write_json(found, written)
    return found


def beside(name, both, tokenizers):
    """Return what the page needs beside a model: dict."""
    found = {"tokenizers": {}, "units": {}}
    for role, tokenizer in tokenizers.items():
        found["tokenizers"][f"{name}.{role}"] = vocabulary(tokenizer)
    if name.startswith("characters_"):
        cell = name.removeprefix("characters_")
        tokenizer = tokenizers["text"]
        found["units"][cell] = units.meanings(both["trained"], tokenizer)
        found["forgetting"] = {
            weights: {cell: notes.gradients(cell, each, tokenizer)}
            for weights, each in both.items()
        }
    if name == "digits_vit":
        found["patches"] = {
            **notes.digits_of_test(),
            "similarity": {k: notes.similarity(v) for k, v in both.items()},
        }
    return found


def vocabulary(tokenizer):
    config = tokenizer.vocabulary_config()
    return {"kind": type(tokenizer).__name__, **config}


def untrained(model, seed=0):
    """Return a model of the same kind and size with initial weights.

    A GPT and a BERT have the initial values of their training, with which a
    token attends to its neighbors.
    """
    keras.utils.set_random_seed(seed)
    new = type(model).from_config(model.get_config())
    new.build_from_config(model.get_build_config())
    if isinstance(new, GPT):
        attend_near(new, new)
    elif isinstance(new, BERTPretrainer):
        attend_near(new, new.bert)
    return new


def write_gzipped(name, model, folder):
    """Write the ONNX files of one model, gzipped."""
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        write_plain(name, model, temporary)
        for path in temporary.glob("*.onnx"):
            packed = gzip.compress(path.read_bytes(), 9, mtime=0)
            (folder / f"{path.name}.gz").write_bytes(packed)


def write_plain(name, model, folder):
    """Write the ONNX files of one model to a folder."""
    if name.removesuffix("_untrained") in DECODED:
        export_onnx_decoder(model, folder)
        for part in PARTS:
            (folder / f"{part[1:]}.onnx").rename(folder / f"{name}{part}.onnx")
        return
    path = folder / f"{name}.onnx"
    if isinstance(model, (GPT, BERTPretrainer)):
        function, signature = switches.of(model)
        write_onnx(path, model, function, signature)
    else:
        export_onnx(model, path)


def write_json(value, path):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(path).write_text(text, encoding="utf-8")
