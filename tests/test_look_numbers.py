"""The numbers of the look-inside page are those of Python: `make test-look`.

Fifty inputs a panel, half of them Korean. Both sides read the same weights in
float16 and compute in float32.
"""

import numpy as np
import pytest

from keras_seq import data, demo
from keras_seq.evaluation import attention_rollout
from keras_seq.generation import BeamSearch, generate
from tests import look_page
from tests.look_page import (
    KEYSTROKES,
    KINDS,
    TYPED,
    expected_distribution,
    of_both_languages,
    to_numpy,
)

pytestmark = look_page.marks()
CLOSE = 1e-4


@pytest.fixture(scope="module")
def page():
    with look_page.page_without_panel() as found:
        yield found


def load(name):
    if name not in demo.names():
        pytest.skip(f"{name} is not trained: python -m look train")
    return demo.load(name)


def lines(longest=70):
    from look import corpus

    texts = [*corpus.quoted_lines()[1], *corpus.lines()[0]]
    return of_both_languages([x for x in texts if len(x) <= longest])


def assert_close(found, expected, atol=CLOSE):
    found = np.array(found, "float32").reshape(np.shape(expected))
    np.testing.assert_allclose(found, expected, atol=atol)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_gates_and_states(page, cell):
    model, tokenizers = load(f"characters_{cell}")
    script = """async ([cell, text]) => {
      const {read} = await import("./panels/gates.js");
      const found = await read(cell, "trained", text);
      const trace = Object.entries(found.trace).map(([k, v]) => [k, [...v]]);
      return {ids: found.ids, logits: [...found.logits],
              trace: Object.fromEntries(trace)}; }"""
    for text in lines():
        found = page.evaluate(script, [cell, text])
        ids = tokenizers["text"].tokenize([text])
        assert found["ids"] == ids[0].tolist()
        x = model.token_embedding(ids)
        trace = model.recurrent_layers[0].trace(x)
        assert set(found["trace"]) == set(trace)
        for name, values in trace.items():
            assert_close(found["trace"][name], to_numpy(values)[0])
        assert_close(found["logits"], to_numpy(model(ids))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_answers_and_alignments(page, kind):
    texts = of_both_languages(data.dates(1000, split="test")[0])
    model, tokenizers = load(f"dates_{kind}")
    script = """async ([kind, text]) => {
      const {translate} = await import("./decode.js");
      const found = await translate(kind, "trained", text);
      return {text: found.text, source: found.source, ids: found.ids,
              attention: found.steps.map((x) => [...(x.attention ?? [])])}; }"""
    for text in texts:
        found = page.evaluate(script, [kind, text])
        source = tokenizers["source"].tokenize([text], end=True)
        assert found["source"] == source[0].tolist()
        expected = generate(model, source, max_length=11)
        text_of = tokenizers["target"].detokenize
        assert found["text"] == text_of(to_numpy(expected.ids))[0]
        if kind in ("bahdanau", "luong"):
            steps = len(found["ids"])
            weights = to_numpy(expected.attention)[0, :steps]
            assert_close(found["attention"], weights)
        if kind == "transformer":
            target = np.array([[2, *found["ids"][:-1]]], "int32")
            inputs = {"source": source, "target": target}
            _, weights = model(inputs, return_attention_scores=True)
            mean = to_numpy(weights["cross"][0])[0].mean(axis=0)
            assert_close(found["attention"], mean)


def test_heads_of_the_gpt(page):
    model, tokenizers = load("gpt")
    script = """async ([text]) => {
      const {tokensOf, readIds} = await import("./reader.js");
      const {ids} = await tokensOf(text);
      const found = await readIds(ids, "trained");
      return {ids, logits: [...found.logits],
              weights: found.layers.map((x) => [...x.weights])}; }"""
    for text in lines():
        found = page.evaluate(script, [text])
        ids = tokenizers["text"].tokenize([text])[:, :64]
        assert found["ids"] == ids[0].tolist()
        logits, weights = model(ids, return_attention_scores=True)
        assert_close(found["logits"], to_numpy(logits)[0])
        for one, layer in zip(found["weights"], weights, strict=True):
            assert_close(one, to_numpy(layer)[0])


def test_distributions_of_the_next_token(page):
    model, tokenizers = load("gpt")
    script = """async ([text]) => {
      const {tokensOf, readIds} = await import("./reader.js");
      const {shape} = await import("./sampling.js");
      const {ids} = await tokensOf(text);
      const found = await readIds(ids, "trained");
      const last = found.logits.slice((found.T - 1) * found.V);
      return [...shape(last, {temperature: 0.7, topK: 40, topP: 0.8})]; }"""
    for text in lines():
        found = page.evaluate(script, [text])
        ids = tokenizers["text"].tokenize([text])[:, :64]
        logits = to_numpy(model(ids))[0, -1].astype("float64")
        assert_close(found, expected_distribution(logits, 0.7, 40, 0.8))


def test_beams(page):
    model, tokenizers = load("gpt")
    script = """async ([text]) => {
      const {tokensOf} = await import("./reader.js");
      const {beams} = await import("./sampling.js");
      const {ids} = await tokensOf(text);
      const tree = await beams(ids, "trained", 2, 3);
      return tree.at(-1)[0]; }"""
    search = BeamSearch(2, length_penalty=0.0)
    for text in lines(longest=50):
        found = page.evaluate(script, [text])
        ids = tokenizers["text"].tokenize([text])
        best = generate(model, ids, search, max_length=3)
        expected = to_numpy(best.ids).reshape(-1)[:3].tolist()
        if 3 not in expected:  # the page's search does not stop at the end
            assert found["ids"] == expected


def test_candidates_for_a_blank(page):
    model, tokenizers = load("bert")
    tokenizer = tokenizers["text"]
    script = """async ([ids]) => {
      const {run, ints} = await import("./models.js");
      const found = await run("bert", {ids: ints(ids)});
      return {logits: [...found.logits.data],
              weights: [...found.attention_0.data]}; }"""
    for text in lines():
        ids = tokenizer.tokenize([text], start=True, end=True)[:, :64]
        ids[0, ids.shape[1] // 2] = tokenizer.mask_id
        found = page.evaluate(script, [ids[0].tolist()])
        inputs = {"token_ids": ids, "segment_ids": 0 * ids}
        logits = to_numpy(model(inputs)["masked_lm"])[0]
        assert_close(found["logits"], logits)
        _, weights = model.bert(inputs, return_attention_scores=True)
        assert_close(found["weights"], to_numpy(weights[0])[0])


def test_digits_and_their_rollout(page):
    model, _ = load("digits_vit")
    images = data.digits("test")[0][:50]
    script = """async ([pixels]) => {
      const {run, floats} = await import("./models.js");
      const {rollout} = await import("./panels/patches.js");
      const found = await run("digits_vit",
        {images: floats(pixels, [1, 8, 8, 1])});
      const layers = [found.attention_0.data, found.attention_1.data];
      const [, H, T] = found.attention_0.dims;
      return {logits: [...found.logits.data],
              rollout: rollout(layers, H, T).at(-1).flat()}; }"""
    for image in images:
        found = page.evaluate(script, [image.ravel().tolist()])
        logits, weights = model(
            image[None, :, :, None], return_attention_scores=True
        )
        assert_close(found["logits"], to_numpy(logits)[0])
        assert_close(found["rollout"], attention_rollout(weights)[0])


ODD = (
    *("", " ", "é", "é", "각", "ㄱㅏ", "한글English漢字かな"),
    *("a\u00a0b\u3000c", "tab\there\nline", "«quoted» — dash…", "[MASK] [UNK]"),
    *("🙂👨‍👩‍👧", "x\u200dy\ufeffz", "１２３ ＡＢＣ", "don't!", "a" * 300),
    *("¿qué?", "₩1,000", "50%", "^_^", "~", "\ufffd", "İstanbul", "ß"),
)


@pytest.mark.parametrize("name", ["characters_lstm", "gpt", "bert"])
def test_tokens_of_a_thousand_texts(page, name):
    from look import corpus

    tokenizer = load(name)[1]["text"]
    texts = [*corpus.lines()[0], *corpus.lines()[1]]
    texts = [*of_both_languages(texts, 500), *ODD]
    script = """async ([name, texts]) => {
      const {tokenizer} = await import("./models.js");
      const words = await tokenizer(`${name}.text`);
      return texts.map((text) => words.tokenize(text).ids); }"""
    found = page.evaluate(script, [name, texts])
    for text, ids, row in zip(texts, found, tokenizer.tokenize_rows(texts)):
        assert ids == row.tolist(), text


@pytest.mark.parametrize("panel", TYPED)
def test_how_long_a_keystroke_takes(page, panel, capsys):
    look_page.opened(page, panel, "lang=ko")
    text = (
        "2001년 12월 24일" if panel == "alignment" else "이 영화는 [MASK] 재미"
    )
    beginnings = [text[:n] for n in range(1, len(text) + 1)]
    field = "#panel .field.wide :is(input, textarea)"
    times = page.evaluate(KEYSTROKES, [field, beginnings])
    with capsys.disabled():
        print(f"\n{panel}: median {np.median(times):.0f} ms a keystroke")  # noqa: T201
    assert np.median(times) < 3000  # 300 on a machine that does nothing else
