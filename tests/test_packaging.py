"""The installed package: the wheel, its metadata, and one version number."""

import ast
import configparser
import email
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SHIPPED = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def version():
    """Read the version as the build does, without importing the package."""
    tree = ast.parse((ROOT / "keras_seq" / "__init__.py").read_text())
    for line in tree.body:
        if isinstance(line, ast.Assign) and line.targets[0].id == "__version__":
            return ast.literal_eval(line.value)
    raise AssertionError("keras_seq/__init__.py has no literal __version__")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the checkout; give its open archive."""
    pytest.importorskip("setuptools")
    copy = tmp_path_factory.mktemp("checkout")
    for name in SHIPPED:
        shutil.copy(ROOT / name, copy)
    for package in (
        *("keras_seq", "tests", "tutorials", "experiments"),
        *("benchmarks", "diagrams", "look"),
    ):
        caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=caches)
        (copy / package / "__init__.py").touch()
    build = "from setuptools import build_meta as b; b.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True)
    (path,) = copy.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def metadata(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith("/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    folders = {name.partition("/")[0] for name in wheel.namelist()}
    assert folders == {"keras_seq", f"keras_seq-{version()}.dist-info"}


def test_the_wheel_holds_the_small_models_within_12_megabytes(wheel):
    weights = (ROOT / "keras_seq/demo/weights").glob("*.npz")
    names = {f"keras_seq/demo/weights/{path.name}" for path in weights}
    assert names and names <= set(wheel.namelist())
    assert sum(part.compress_size for part in wheel.infolist()) < 12e6


def test_the_wheel_holds_every_module_of_the_package(wheel):
    modules = (ROOT / "keras_seq").rglob("*.py")
    names = {path.relative_to(ROOT).as_posix() for path in modules}
    assert names <= set(wheel.namelist())


def test_the_wheel_holds_the_dialogues(wheel):
    for language in ("en", "ko"):
        assert f"keras_seq/data/dialogues_{language}.tsv" in wheel.namelist()


def test_the_wheel_has_its_license(wheel):
    assert metadata(wheel)["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())


def test_tensorflow_text_is_required_only_where_it_has_wheels(wheel):
    wanted = metadata(wheel).get_all("Requires-Dist")
    (line,) = (line for line in wanted if line.startswith("tensorflow-text"))
    assert "sys_platform" in line
    assert "platform_machine" in line


def test_the_package_requires_only_these():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].split("\n")
    names = {re.match(r"[\w-]*", line)[0] for line in lines} - {""}
    assert names == {
        "keras",
        "numpy",
        "matplotlib",
        "tensorflow",
        "tensorflow-text",
    }


def test_the_citation_names_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {version()}\n" in citation
