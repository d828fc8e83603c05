"""Execute the lessons and keep their notebooks in docs/executed/.

    make pages                   # each lesson whose notebook is not current
    make pages T=01_rnn          # only this one

A lesson is executed as a whole, in English, which takes 3 to 5 minutes on two
cores. docs/executed/NAME.ipynb holds the SHA-256 of its script. If only the
prose of the script was changed, the outputs are kept and nothing is executed.
docs/executed/ko/NAME.ipynb has the same code and outputs, and the Korean prose.
"""

import argparse
import base64
import hashlib
import io
import os
import re
import sys
import tempfile

import nbformat

from docs.notebooks import (
    ROOT,
    in_language,
    keep_outputs,
    lessons,
    notebook,
)

EXECUTED = ROOT / "docs" / "executed"
LARGEST = 150_000  # bytes of a picture
SETTINGS = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "PYTHONPATH": str(ROOT),
}


def digest(path):
    """Return the SHA-256 of a script: str."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def executed(name):
    """Return the executed notebook of a lesson, or None without one."""
    path = EXECUTED / f"{name}.ipynb"
    return nbformat.read(path, as_version=4) if path.exists() else None


def last_lines(text):
    """Keep of each line what a terminal shows at the end, without colors."""
    text = re.sub(r"\x1b\[[\d;]*[A-Za-z]|\x08", "", text)
    lines = [line.rstrip("\r").split("\r")[-1] for line in text.split("\n")]
    logged = re.compile(r"(INFO|WARNING):tensorflow:")  # by absl, to stdout
    return "\n".join(ln.rstrip() for ln in lines if not logged.match(ln))


def small_png(encoded):
    """Return a picture, base64, with 256 colors and at most `LARGEST` bytes."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
    while True:
        file = io.BytesIO()
        few = picture.quantize(256, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
        if file.tell() <= LARGEST:
            return base64.b64encode(file.getvalue()).decode()
        picture = picture.resize([side * 4 // 5 for side in picture.size])


def clean(outputs):
    """Return the outputs of a cell without noise: no log, one line a bar."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":  # logs and warnings
                print(output.text, file=sys.stderr, end="")
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif "image/png" in output.get("data", {}):
            output.data = {"image/png": small_png(output.data["image/png"])}
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = last_lines(output.text)
    return kept


def execute(lesson):
    """Execute a notebook in place, in an empty folder."""
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            lesson,
            timeout=None,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute(env={**os.environ, **SETTINGS})
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs = clean(cell.outputs)


def refresh(path):
    """Bring the notebooks of a lesson up to date; execute it if it must be."""
    lesson, kept = notebook(path), executed(path.stem)
    if kept is None or not keep_outputs(lesson, kept):
        execute(lesson)
    lesson.metadata["language_info"] = notebook(path).metadata["language_info"]
    lesson.metadata["script_sha256"] = digest(path)
    for language, folder, docs in (
        ("en", EXECUTED, ".."),
        ("ko", EXECUTED / "ko", "../.."),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / path.name.replace(".py", ".ipynb")
        nbformat.write(in_language(lesson, language, path.stem, docs), target)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def write_links():
    """Link each executed notebook in the last column of tutorials/README.md."""
    index = ROOT / "tutorials" / "README.md"
    lines = index.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        name = re.match(r"\| \[`(\w+)`\]", line)
        if name and executed(name[1]):
            links = [
                f"[{label}](../docs/executed/{folder}{name[1]}.ipynb)"
                for label, folder in (("English", ""), ("한국어", "ko/"))
            ]
            cells = line.split(" | ")[:5]
            cells[-1] = cells[-1].removesuffix(" |")
            lines[number] = " | ".join([*cells, ", ".join(links)]) + " |"
    index.write_text("\n".join(lines) + "\n", "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="lessons; default: all")
    names = parser.parse_args().names
    known = {path.stem: path for path in lessons()}
    if unknown := set(names) - set(known):
        parser.error(f"no lesson {', '.join(sorted(unknown))} in tutorials/")
    for name, path in known.items():
        if not names or name in names:
            refresh(path)
    write_links()


if __name__ == "__main__":
    main()
