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
from look import switches, units

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
    manifest = {"tokenizers": {}, "units": {}}
    for path in sorted(weights.glob("*.npz")):
        found = export_one(path, folder)
        manifest["tokenizers"] |= found["tokenizers"]
        manifest["units"] |= found["units"]
    for path in sorted(folder.glob("*.onnx.gz")):
        name = path.name.removesuffix(".onnx.gz")
        manifest[name] = {"file": path.name, "bytes": path.stat().st_size}
    return manifest


def export_one(path, folder):
    """Write one model, trained and untrained, unless its files are newer.

    Returns:
        dict of its `tokenizers`, and of its `units` with a meaning.
    """
    notes = folder / f"{path.stem}.json"
    if newer(folder, path):
        return json.loads(notes.read_text(encoding="utf-8"))
    model, tokenizers = load_small(path)
    found = {"tokenizers": {}, "units": {}}
    for role, tokenizer in tokenizers.items():
        found["tokenizers"][f"{path.stem}.{role}"] = vocabulary(tokenizer)
    if path.stem.startswith("characters_"):
        cell = path.stem.removeprefix("characters_")
        found["units"][cell] = units.meanings(model, tokenizers["text"])
    for suffix, each in (("", model), ("_untrained", untrained(model))):
        write_gzipped(path.stem + suffix, each, folder)
    write_json(found, notes)
    return found


def newer(folder, path):
    """Return whether the files of a model are newer than its weights."""
    notes = folder / f"{path.stem}.json"  # is written last
    return notes.exists() and notes.stat().st_mtime > path.stat().st_mtime


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
