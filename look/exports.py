"""Export the small models for the page: trained, and with their first weights.

Each file is gzipped ONNX with weights in float16; a model that decodes is two
files, `NAME_start` and `NAME_step`. `manifest.json` says how large each is,
and holds what the page needs beside them: vocabularies, and the units of the
character models with a visible meaning.
"""

import gzip
import json
import pathlib
import tempfile

import keras

from keras_seq.demo.store import load_small
from keras_seq.export import export_onnx, export_onnx_decoder, write_onnx
from keras_seq.models import GPT, BERTPretrainer
from look import notes, switches, units

MANIFEST = "manifest.json"
WEIGHTS = pathlib.Path("keras_seq/demo/weights")
DECODED = ("dates_seq2seq", "dates_bahdanau", "dates_luong")


def export_all(folder, weights=WEIGHTS):
    """Write every model, and the manifest, to a folder.

    Args:
        folder: str or Path, is created. Files newer than the weights are kept.
        weights: Path, the folder of the models.
    Returns:
        dict, the manifest.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(weights.glob("*.npz")):
        export_one(path, folder)
    return collect(folder)


def collect(folder):
    """Return the manifest of what is in a folder."""
    manifest = {"tokenizers": {}, "units": {}, "forgetting": {}}
    for path in sorted(folder.glob("*.json")):
        if path.name == MANIFEST:
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
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
    """Write one model, trained and untrained, unless its files are newer.

    Returns:
        dict of its `tokenizers`, and of its `units` with a meaning.
    """
    written = folder / f"{path.stem}.json"
    if newer(folder, path):
        return json.loads(written.read_text(encoding="utf-8"))
    model, tokenizers = load_small(path)
    found = {"tokenizers": {}, "units": {}}
    for role, tokenizer in tokenizers.items():
        found["tokenizers"][f"{path.stem}.{role}"] = vocabulary(tokenizer)
    both = {"trained": model, "untrained": untrained(model)}
    if path.stem.startswith("characters_"):
        cell = path.stem.removeprefix("characters_")
        tokenizer = tokenizers["text"]
        found["units"][cell] = units.meanings(model, tokenizer)
        found["forgetting"] = {
            weights: {cell: notes.gradients(cell, each, tokenizer)}
            for weights, each in both.items()
        }
    if path.stem == "digits_vit":
        found["patches"] = {
            **notes.digits_of_test(),
            "similarity": {k: notes.similarity(v) for k, v in both.items()},
        }
    for weights, each in both.items():
        suffix = "" if weights == "trained" else "_untrained"
        write_gzipped(path.stem + suffix, each, folder)
    write_json(found, written)
    return found


def newer(folder, path):
    """Return whether the files of a model are newer than its weights."""
    written = folder / f"{path.stem}.json"  # the last file
    return written.exists() and written.stat().st_mtime > path.stat().st_mtime


def vocabulary(tokenizer):
    config = tokenizer.vocabulary_config()
    return {"kind": type(tokenizer).__name__, **config}


def untrained(model, seed=0):
    """Return a model of the same kind and size with new weights."""
    keras.utils.set_random_seed(seed)
    new = type(model).from_config(model.get_config())
    new.build_from_config(model.get_build_config())
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
        for part in ("start", "step"):
            (folder / f"{part}.onnx").rename(folder / f"{name}_{part}.onnx")
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
