"""The exported models of the look-inside page: `make test-look`."""

import json

import numpy as np
import pytest

from keras_seq import demo
from look import exports
from tests import look_page

pytestmark = look_page.marks()


def test_the_exports_are_made_from_the_weights_of_the_package():
    path = look_page.BUILT / "models" / exports.MANIFEST
    found = json.loads(path.read_text("utf-8"))["sha256"]
    expected = {x.stem: exports.sha256(x) for x in exports.shown()}
    assert found == expected


@pytest.mark.parametrize("path", exports.shown(), ids=lambda path: path.stem)
def test_the_arrays_of_an_export_are_those_of_the_weights(path):
    known = look_page.arrays_in(path)
    parts = exports.PARTS if path.stem in exports.DECODED else ("",)
    for part in parts:
        found = look_page.arrays_of(path.stem + part)
        assert found and found <= known


def test_building_again_gives_the_same_models(tmp_path, monkeypatch):
    path = exports.WEIGHTS / "digits_vit.npz"
    names = "digits_vit", "digits_vit_untrained"
    before = [look_page.arrays_of(name) for name in names]
    (tmp_path / "models").mkdir()
    found = exports.export_one(path, tmp_path / "models")
    built = (look_page.BUILT / "models/digits_vit.json").read_text("utf-8")
    assert found == json.loads(built)
    monkeypatch.setattr(look_page, "BUILT", tmp_path)
    assert [look_page.arrays_of(name) for name in names] == before


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_untrained_weights_have_the_initial_values_of_the_training(name):
    model = exports.untrained(demo.load(name)[0])
    network = model if name == "gpt" else model.bert
    for block in network.blocks:
        attention = block.self_attention
        query, key = attention.query_dense, attention.key_dense
        np.testing.assert_array_equal(query.kernel, key.kernel)
    # The page has the same weights, not those of an earlier build.
    table = np.array(network.position_embedding.embeddings, "float16")
    built = look_page.arrays_of(f"{name}_untrained")
    assert np.sort(table, axis=None).tobytes() in built
