"""Inputs and labels of BERT: packing, masking, sentence pairs, spans, tags."""

import inspect
import itertools
import unicodedata

import keras
import numpy as np
import pytest

import keras_seq.text
from keras_seq.text import (
    BERTTokenizer,
    CharTokenizer,
    MaskedLMMaskGenerator,
    MultiSegmentPacker,
    SentencePieceTokenizer,
    WordPieceTokenizer,
    align_tags,
    fill_texts,
    sentence_pairs,
    span_to_tokens,
    tag_spans,
    tokens_to_text,
    word_tags,
)
from keras_seq.text.masking_units import choose_that_fit, number_spans

NEEDS_TEXT = "needs tensorflow-text, which has no wheels for this platform"
tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text", reason=NEEDS_TEXT)

# Texts are split by TensorFlow with every backend; test_text.py and
# test_subword.py run on each backend.
pytestmark = pytest.mark.tensorflow_only

UNITS = ("token", "word", "span")
CONTEXTS = [
    "강아지가 공원에서 놀아요. 고양이는 🙂 집에 있어요!",
    "The cat plays in the park, and the dog sleeps.",
    unicodedata.normalize("NFD", "학교는 café 옆에 있어요"),
    "🙂👍🏽 한국어 two  spaces",
]
CORPUS = [unicodedata.normalize("NFC", text) for text in CONTEXTS] * 3


@pytest.fixture(scope="module")
def letters():
    """Make a tokenizer with the ids a 5, b 6 and so on."""
    return WordPieceTokenizer([*"abcdefg", "##x"])


@pytest.fixture(scope="module")
def many():
    """Make a tokenizer of 997 words, ids 5 to 1001, and 211 continuations."""
    words = [f"w{i}" for i in range(997)]
    return WordPieceTokenizer([*words, *(f"##w{i}" for i in range(211))])


@pytest.fixture(scope="module")
def wordpiece():
    return WordPieceTokenizer.train(CORPUS, 151)


@pytest.fixture(scope="module")
def unigram():
    pytest.importorskip("sentencepiece", reason="training needs sentencepiece")
    return SentencePieceTokenizer.train(CORPUS, 331, character_coverage=0.98)


@pytest.fixture(scope="module", params=["char", "wordpiece", "unigram"])
def tokenizer(request):
    if request.param == "char":
        return CharTokenizer.train(CORPUS)
    return request.getfixturevalue(request.param)


def composed(texts):
    return [unicodedata.normalize("NFC", text) for text in texts]


# Packing.


def test_one_text_is_packed_between_cls_and_sep(letters):
    packed = MultiSegmentPacker(letters, 7)(["a bx", ""])
    assert packed["token_ids"].tolist() == [
        [2, 5, 6, 12, 3, 0, 0],
        [2, 3, 0, 0, 0, 0, 0],
    ]
    assert not packed["segment_ids"].any()
    assert {x.dtype.name for x in packed.values()} == {"int32"}


def test_two_texts_have_three_special_tokens_and_two_segments(letters):
    packed = MultiSegmentPacker(letters, 11)(["a b", ""], ["c d e", "f"])
    assert packed["token_ids"].tolist() == [
        [2, 5, 6, 3, 7, 8, 9, 3, 0, 0, 0],
        [2, 3, 10, 3, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert packed["segment_ids"].tolist() == [
        [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_by_default_the_length_is_that_of_the_longest_row(letters):
    packed = MultiSegmentPacker(letters)(["a b", "c"], ["d", ""])
    assert packed["token_ids"].tolist() == [
        [2, 5, 6, 3, 8, 3],
        [2, 7, 3, 3, 0, 0],
    ]


def published():
    """Make a tokenizer with other special ids."""
    marks = ["[MASK]", "[SEP]", "[CLS]", "[UNK]", "[PAD]"]
    return BERTTokenizer(["a", "b", *marks])


def test_cls_and_sep_are_the_start_and_end_ids_of_the_tokenizer():
    packed = MultiSegmentPacker(published(), 7)(["a"], ["b"])
    assert packed["token_ids"].tolist() == [[4, 0, 3, 1, 3, 6, 6]]
    assert packed["segment_ids"].tolist() == [[0, 0, 0, 1, 1, 0, 0]]


def test_a_packer_has_the_offsets_of_a_bert_tokenizer():
    packed = MultiSegmentPacker(published(), 7)(["a b"], offsets=True)
    assert packed["offsets"][0, :4].tolist() == [[0, 0], [0, 1], [2, 3], [0, 0]]


def test_spans_of_a_bert_tokenizer_count_the_text_as_given():
    marks = ["[MASK]", "[SEP]", "[CLS]", "[UNK]", "[PAD]"]
    jamo = unicodedata.normalize("NFD", "각 나")
    tokenizer = BERTTokenizer([*jamo.split()[:1], jamo.split()[1], *marks])
    packer = MultiSegmentPacker(tokenizer)
    packed = packer([""], [jamo], offsets=True)
    spans = span_to_tokens(packed, [4], [6])
    assert spans.tolist() == [[3, 3]]
    assert tokens_to_text(packed, [jamo], spans, None) == [jamo.split()[1]]
    _, tags = align_tags(packer, [jamo.split()], [[7, 8]])
    assert tags.tolist() == [[-100, 7, 8, -100]]


def test_a_mask_token_in_a_text_is_packed_if_the_tokenizer_recognizes_it():
    for recognize, ids in ((True, [2, 5, 4, 6, 3]), (False, [2, 5, 1, 1, 1])):
        tokenizer = WordPieceTokenizer(
            [*"ab"], special_tokens_in_strings=recognize
        )
        packed = MultiSegmentPacker(tokenizer)(["a [MASK] b"], offsets=True)
        assert packed["token_ids"][0, :5].tolist() == ids
    tokenizer = WordPieceTokenizer([*"ab"], special_tokens_in_strings=True)
    packed = MultiSegmentPacker(tokenizer)(["a [MASK] b"], offsets=True)
    assert packed["offsets"][0, 1:4].tolist() == [[0, 1], [2, 8], [9, 10]]


@pytest.mark.parametrize(
    "truncate, sizes",
    [
        ("longest_first", [(3, 2), (2, 3), (2, 3), (4, 1), (0, 5)]),
        ("round_robin", [(3, 2), (2, 3), (3, 2), (4, 1), (0, 5)]),
        ("waterfall", [(5, 0), (2, 3), (5, 0), (4, 1), (0, 5)]),
        ("only_second", [(5, 0), (2, 3), (5, 0), (4, 1), (0, 5)]),
    ],
)
def test_each_strategy_truncates_the_documented_text(letters, truncate, sizes):
    first = ["a b c d e", "a b", "a b c d e", "a b c d", ""]
    second = ["a b", "a b c d e", "a b c d e", "a", "a b c d e f g"]
    packed = MultiSegmentPacker(letters, 8, truncate=truncate)(first, second)
    for row, (n, m) in zip(packed["token_ids"].tolist(), sizes):
        a, b = range(5, 5 + n), range(5, 5 + m)
        assert row == [2, *a, 3, *b, 3]


@pytest.mark.parametrize(
    "truncate", ["longest_first", "round_robin", "waterfall"]
)
def test_one_text_is_truncated_at_its_end(letters, truncate):
    packed = MultiSegmentPacker(letters, 5, truncate=truncate)(
        ["a b c d e f g"]
    )
    assert packed["token_ids"].tolist() == [[2, 5, 6, 7, 3]]


@pytest.mark.parametrize(
    "truncate", ["longest_first", "round_robin", "waterfall"]
)
def test_the_smallest_length_has_room_for_special_tokens_only(
    letters, truncate
):
    packed = MultiSegmentPacker(letters, 3, truncate=truncate)(["a b"], ["c"])
    assert packed["token_ids"].tolist() == [[2, 3, 3]]


@pytest.mark.parametrize("truncate", ["only_second", None])
def test_a_text_that_must_not_be_truncated_raises_an_error(letters, truncate):
    packer = MultiSegmentPacker(letters, 5, truncate=truncate)
    with pytest.raises(ValueError, match="`sequence_length` must have room"):
        packer(["a b c"], ["d"])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`sequence_length` must"
    ):
        packer(tf.constant(["a b c"]), tf.constant(["d"]))


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"sequence_length": 2}, "sequence_length"),
        ({"sequence_length": 0}, "sequence_length"),
        ({"sequence_length": 7.0}, "sequence_length"),
        ({"truncate": "longest_first"}, "sequence_length"),
        ({"sequence_length": 7, "truncate": "shortest"}, "truncate"),
        ({"tokenizer": "letters"}, "tokenizer"),
    ],
)
def test_bad_arguments_of_a_packer_raise_an_error(letters, arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        MultiSegmentPacker(**{"tokenizer": letters, **arguments})


@pytest.mark.parametrize(
    "first, second, name",
    [
        (["a"], ["b", "c"], "second"),
        ([5], None, "first"),
        (["a"], [None], "second"),
        ([["a"]], None, "first"),
    ],
)
def test_bad_texts_raise_an_error(letters, first, second, name):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        MultiSegmentPacker(letters)(first, second)


def test_one_text_without_a_list_is_one_row(letters):
    packed = MultiSegmentPacker(letters, 7)("a", "b")
    assert packed["token_ids"].tolist() == [2, 5, 3, 6, 3, 0, 0]
    for first, second in (("a", tf.constant("b")), (tf.constant("a"), "b")):
        tensors = MultiSegmentPacker(letters, 7)(first, second)
        assert (
            tensors["token_ids"].numpy().tolist()
            == packed["token_ids"].tolist()
        )


def test_tensors_give_the_rows_of_python(wordpiece):
    packer = MultiSegmentPacker(wordpiece, 67, truncate="longest_first")
    questions = ["누가 놀아요?", "", "🙂", b"caf\xff"]
    python = packer(questions, CONTEXTS, offsets=True)
    signature = [tf.TensorSpec([None], tf.string)] * 2

    @tf.function(input_signature=signature)
    def pack(first, second):
        return packer(first, second, offsets=True)

    tensors = pack(tf.constant(questions), tf.constant(CONTEXTS))
    assert set(tensors) == {"token_ids", "segment_ids", "offsets"}
    for name, x in tensors.items():
        assert np.array_equal(x, python[name])
    for rows in (0, 1):
        few = pack(tf.constant(questions[:rows], tf.string), CONTEXTS[:rows])
        assert np.array_equal(few["token_ids"], python["token_ids"][:rows])


def test_a_dataset_can_map_a_packer(letters):
    pairs = (["a b", "c", "d"], ["e", "f g a", ""])
    data = tf.data.Dataset.from_tensor_slices(pairs)
    packer = MultiSegmentPacker(letters, 5, truncate="round_robin")
    expected = packer(*pairs)["token_ids"]
    batches = data.batch(2).map(packer)
    assert batches.element_spec["token_ids"].shape.as_list() == [None, 5]
    rows = np.concatenate([batch["token_ids"] for batch in batches])
    assert np.array_equal(rows, expected)
    rows = np.concatenate([b["token_ids"] for b in data.map(packer).batch(2)])
    assert np.array_equal(rows, expected)


def test_an_empty_batch_has_a_column(letters):
    packed = MultiSegmentPacker(letters)([], [])
    assert packed["token_ids"].shape == (0, 1)


# Masking.


def rows_of(many, rows=89, length=103, seed=3):
    """Draw rows of two segments, with unknown words and padding."""
    random = np.random.default_rng(seed)
    ids = random.integers(5, many.vocabulary_size(), (rows, length))
    ids[random.random(ids.shape) < 0.02] = many.unknown_id
    ids[:, 0], ids[:, 53], ids[:, 97] = 2, 3, 3
    ids[:, 98:] = 0
    return ids


def hidden_at(masked, ids):
    """Convert `mask_positions` and `labels` to a mask: bool (B, T)."""
    hidden = np.zeros(ids.shape, bool)
    used = masked["labels"] != 0
    row = np.nonzero(used)[0]
    hidden[row, masked["mask_positions"][used]] = True
    return hidden


def words_of(ids, many):
    """List the words of a row as lists of positions."""
    words = []
    for place, token in enumerate(ids.tolist()):
        if token < 5:
            continue
        goes_on = token >= 5 + 997 and place and ids[place - 1] >= 5
        if goes_on:
            words[-1].append(place)
        else:
            words.append([place])
    return words


@pytest.mark.parametrize("unit", UNITS)
def test_positions_and_labels_are_those_of_the_selected_tokens(many, unit):
    ids = rows_of(many)
    masked = MaskedLMMaskGenerator(many, unit=unit)(ids, 0)
    assert {x.dtype.name for x in masked.values()} == {"int32"}
    hidden, used = hidden_at(masked, ids), masked["labels"] != 0
    assert np.array_equal(masked["token_ids"][~hidden], ids[~hidden])
    assert masked["mask_positions"].shape == masked["labels"].shape == (89, 16)
    assert not masked["mask_positions"][~used].any()
    for row, places, labels in zip(
        ids, masked["mask_positions"], masked["labels"]
    ):
        count = np.count_nonzero(labels)
        assert np.all(np.diff(places[:count]) > 0)
        assert np.array_equal(row[places[:count]], labels[:count])


@pytest.mark.parametrize("unit", UNITS)
def test_no_special_token_is_ever_selected_or_drawn(many, unit):
    ids = rows_of(many)
    generator = MaskedLMMaskGenerator(many, 0.5, unit=unit)
    for step in range(5):
        masked = generator(ids, step)
        special = ids < 5
        assert np.array_equal(masked["token_ids"][special], ids[special])
        assert set(masked["token_ids"][~special]) & set(range(5)) == {4}


@pytest.mark.parametrize("unit", UNITS)
def test_fifteen_percent_of_the_ordinary_tokens_are_selected(many, unit):
    ids, generator = rows_of(many), MaskedLMMaskGenerator(many, unit=unit)
    hidden = [hidden_at(generator(ids, step), ids) for step in range(11)]
    share = np.mean(hidden, axis=0)[ids >= 5].mean()
    assert abs(share - 0.15) < 0.002


def test_short_rows_have_the_same_selection_rate(many):
    ids = np.full((1009, 5), 7)
    ids[:, 0], ids[:, 4] = 2, 3
    hidden = [
        hidden_at(MaskedLMMaskGenerator(many)(ids, i), ids) for i in range(5)
    ]
    assert abs(np.mean(hidden) * 5 / 3 - 0.15) < 0.01


def test_every_position_is_selected_equally_often(many):
    ids = rows_of(many, rows=997)
    generator = MaskedLMMaskGenerator(many)
    hidden = [hidden_at(generator(ids, step), ids) for step in range(5)]
    known = ids >= 5
    share = np.sum(hidden, axis=(0, 1))[known.any(0)]
    share = share / (5 * known.sum(0)[known.any(0)])
    assert np.all(np.abs(share - 0.15) < 0.03)


@pytest.mark.parametrize("unit", UNITS)
def test_selected_tokens_are_masked_replaced_and_kept_80_10_10(many, unit):
    ids, generator = (
        rows_of(many, rows=251),
        MaskedLMMaskGenerator(many, unit=unit),
    )
    becomes = []
    for step in range(11):
        masked = generator(ids, step)
        hidden = hidden_at(masked, ids)
        becomes += zip(masked["token_ids"][hidden], ids[hidden])
    new, old = np.array(becomes).T
    kept, mask = np.mean(new == old), np.mean(new == 4)
    assert len(new) > 35_000
    assert abs(mask - 0.8) < 0.01
    assert abs(kept - 0.1) < 0.01
    assert abs(1 - mask - kept - 0.1) < 0.01


def test_the_rates_of_masked_and_random_tokens_can_be_set(many):
    ids = rows_of(many)
    for mask, other in ((1.0, 0.0), (0.0, 1.0), (0.9, 0.1), (0.0, 0.0)):
        masked = MaskedLMMaskGenerator(
            many, 0.5, mask_token_rate=mask, random_token_rate=other
        )(ids, 0)
        hidden = hidden_at(masked, ids)
        new, old = masked["token_ids"][hidden], ids[hidden]
        assert abs(np.mean(new == 4) - mask) < 0.02
        assert abs(np.mean((new != 4) & (new != old)) - other) < 0.02


def test_an_id_outside_the_vocabulary_is_an_error_in_a_tensor_too(many):
    for bad in (-1, 5000):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`ids` must"):
            MaskedLMMaskGenerator(many)(tf.constant([[7, bad]]), 0)


def test_random_tokens_are_drawn_from_all_ordinary_tokens():
    few = WordPieceTokenizer([*"abcd"])
    ids = np.full((499, 101), 5)
    new = np.concatenate(
        [MaskedLMMaskGenerator(few)(ids, i)["token_ids"] for i in range(5)]
    )
    counts = np.bincount(new.ravel(), minlength=9)
    assert not counts[:4].any()
    others = counts[6:9] / counts[4] * 0.8 / 0.1
    assert np.all(np.abs(others - 0.25) < 0.03)


@pytest.mark.parametrize("unit", ["word", "span"])
def test_a_word_is_selected_whole_or_not_at_all(many, unit):
    ids = rows_of(many)
    hidden = hidden_at(MaskedLMMaskGenerator(many, unit=unit)(ids, 0), ids)
    taken = [
        hidden[i, word].tolist()
        for i, row in enumerate(ids)
        for word in words_of(row, many)
    ]
    assert all(len(set(word)) == 1 for word in taken)
    assert any(len(word) > 1 and word[0] for word in taken)


def test_a_word_begins_at_u2581(unigram):
    text = "강아지가 놀아요 the cat"
    ids = unigram.tokenize([text] * 211, start=True, end=True)
    masked = MaskedLMMaskGenerator(unigram, 0.5, unit="word")(ids, 0)
    hidden = hidden_at(masked, ids)[:, 1:-1]
    pieces = unigram.tokens(ids[0, 1:-1])
    begins = [i for i, piece in enumerate(pieces) if piece[0] == "\u2581"]
    assert len(pieces) > 4 == len([0, *begins])
    words = np.split(hidden, begins, axis=1)
    for word in words:
        assert np.all(word.all(axis=1) == word.any(axis=1))
        assert 0 < word[:, 0].mean() < 1


def test_units_are_chosen_as_long_as_they_fit():
    random = np.random.default_rng(5)
    sizes = random.integers(0, 7, (97, 31))
    room = random.integers(0, 29, 97)
    fits = choose_that_fit(tf.constant(sizes), tf.constant(room))
    for row, left, taken in zip(sizes, room, fits.numpy()):
        for size, one in zip(row, taken):
            assert one == (0 < size <= left)
            left -= size * one


def test_spans_have_geometric_lengths_up_to_ten():
    words = np.tile(np.arange(1, 1010, dtype="int32"), (31, 1))
    ordinary, u = np.ones(words.shape, bool), np.random.default_rng(7)
    u = u.random(words.shape).astype("float32")
    spans = number_spans(words, ordinary, u).numpy()
    lengths = [len(list(s)) for row in spans for _, s in itertools.groupby(row)]
    expected = 0.8 ** np.arange(10)
    shares = np.bincount(lengths, minlength=11)[1:] / len(lengths)
    assert max(lengths) == 10
    assert np.all(np.abs(shares - expected / expected.sum()) < 0.01)
    assert abs(np.mean(lengths) - 3.8) < 0.1


def test_a_span_ends_before_a_special_token():
    words, ordinary = [[1, 2, 2, 3, 4]], [[True, True, False, True, True]]
    u = np.full((1, 5), 0.99, "float32")
    spans = number_spans(tf.constant(words), tf.constant(ordinary), u)
    assert spans[0, 0] == spans[0, 1] != spans[0, 3] == spans[0, 4]


def test_spans_select_neighbors_and_replace_them_alike(many):
    ids = rows_of(many, rows=199)
    ids[ids >= 5 + 997] = 5
    alike, runs = {}, {}
    for unit in UNITS:
        masked = MaskedLMMaskGenerator(many, unit=unit)(ids, 0)
        hidden = hidden_at(masked, ids)
        both = hidden[:, 1:] & hidden[:, :-1]
        runs[unit] = hidden.sum() / (hidden.sum() - both.sum())
        fate = np.where(
            masked["token_ids"] == 4, 0, 1 + (masked["token_ids"] == ids)
        )
        alike[unit] = np.mean((fate[:, 1:] == fate[:, :-1])[both])
    assert runs["token"] < 1.4 and runs["word"] < 1.4
    assert 3 < runs["span"] < 4.5
    assert alike["token"] < 0.75 < 0.93 < alike["span"]


@pytest.mark.parametrize("unit", UNITS)
def test_mask_selection_length_limits_the_positions(many, unit):
    ids = rows_of(many)
    masked = MaskedLMMaskGenerator(
        many, 0.5, unit=unit, mask_selection_length=7
    )(ids, 0)
    assert masked["mask_positions"].shape == (89, 7)
    used = np.count_nonzero(masked["labels"], axis=1)
    assert used.max() == 7 and used.mean() > 6.5
    masked = MaskedLMMaskGenerator(many, unit=unit, mask_selection_length=113)(
        ids, 0
    )
    assert masked["mask_positions"].shape == (89, 113)


def test_by_default_the_number_of_positions_is_the_rate_rounded_up(many):
    places = MaskedLMMaskGenerator(many, 0.07)(np.full((3, 100), 7), 0)[
        "mask_positions"
    ]
    assert places.shape == (3, 7)
    for length, most in ((20, 3), (21, 4), (1, 1)):
        places = MaskedLMMaskGenerator(many)(np.full((3, length), 7), 0)[
            "mask_positions"
        ]
        assert places.shape == (3, most)


@pytest.mark.parametrize("unit", UNITS)
def test_rows_without_an_ordinary_token_do_not_change(many, unit):
    ids = np.array([[0] * 11, [2, 3] + [0] * 9, [1] * 11])
    masked = MaskedLMMaskGenerator(many, 0.5, unit=unit)(ids, 0)
    assert np.array_equal(masked["token_ids"], ids)
    assert not masked["mask_positions"].any() and not masked["labels"].any()


@pytest.mark.parametrize("shape", [(1, 17), (1, 1), (0, 17)])
@pytest.mark.parametrize("unit", UNITS)
def test_small_batches_are_masked_too(many, unit, shape):
    masked = MaskedLMMaskGenerator(many, 0.4, unit=unit)(np.full(shape, 7), 0)
    assert masked["token_ids"].shape == shape


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_seed_and_step_give_the_same_mask(many, unit):
    ids = rows_of(many)
    first = MaskedLMMaskGenerator(many, unit=unit, seed=7)
    masked = first(ids, 3)["token_ids"]
    keras.utils.set_random_seed(11)
    again = MaskedLMMaskGenerator(many, unit=unit, seed=7)
    assert np.array_equal(again(ids, 3)["token_ids"], masked)
    assert not np.array_equal(again(ids, 4)["token_ids"], masked)
    other = MaskedLMMaskGenerator(many, unit=unit, seed=8)
    assert not np.array_equal(other(ids, 3)["token_ids"], masked)


@pytest.mark.parametrize("unit", UNITS)
def test_a_graph_masks_as_python_does(many, unit):
    ids, generator = rows_of(many), MaskedLMMaskGenerator(many, unit=unit)
    python = generator({"token_ids": ids, "segment_ids": ids * 0}, 5)
    spec = tf.TensorSpec([None, None], tf.int64)
    mask = tf.function(
        generator,
        input_signature=[
            {"token_ids": spec, "segment_ids": spec},
            tf.TensorSpec([], tf.int32),
        ],
    )
    tensors = {
        "token_ids": tf.constant(ids),
        "segment_ids": tf.constant(ids * 0),
    }
    masked = mask(tensors, tf.constant(5))
    assert set(masked) == {
        "token_ids",
        "segment_ids",
        "mask_positions",
        "labels",
    }
    for name, x in masked.items():
        assert np.array_equal(x, python[name])


def test_each_epoch_has_another_mask_and_each_run_the_same_ones(many):
    data = tf.data.Dataset.from_tensor_slices({"token_ids": rows_of(many)})

    def epochs():
        batches = MaskedLMMaskGenerator(many, seed=7).each_epoch(data.batch(31))
        return [
            np.concatenate([batch["token_ids"] for batch in batches])
            for _ in range(3)
        ]

    first, again = epochs(), epochs()
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])


def test_batches_of_one_epoch_are_masked_differently(many):
    data = tf.data.Dataset.from_tensors(rows_of(many)[0]).repeat(3).batch(1)
    batches = [
        b["token_ids"].numpy()
        for b in MaskedLMMaskGenerator(many).each_epoch(data)
    ]
    assert not np.array_equal(batches[0], batches[1])
    assert not np.array_equal(batches[1], batches[2])


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"mask_selection_rate": 0}, "mask_selection_rate"),
        ({"mask_selection_rate": 1.0}, "mask_selection_rate"),
        ({"unit": "letter"}, "unit"),
        ({"mask_selection_length": 0}, "mask_selection_length"),
        ({"mask_token_rate": 1.1}, "mask_token_rate"),
        ({"random_token_rate": -0.1}, "random_token_rate"),
        ({"random_token_rate": 0.3}, "random_token_rate"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"tokenizer": None}, "tokenizer"),
    ],
)
def test_bad_arguments_of_a_mask_generator_raise_an_error(
    many, arguments, name
):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        MaskedLMMaskGenerator(**{"tokenizer": many, **arguments})


@pytest.mark.parametrize("ids", [[7, 8], [[0.5]], [[5000]], [[-1]]])
def test_bad_batches_of_ids_raise_an_error(many, ids):
    with pytest.raises(ValueError, match="`ids` must"):
        MaskedLMMaskGenerator(many)(np.array(ids), 0)
    with pytest.raises(ValueError, match="`ids` must"):
        MaskedLMMaskGenerator(many)({"segment_ids": np.array(ids)}, 0)


@pytest.mark.parametrize("step", [0.5, -1, None, [0, 1]])
def test_a_bad_step_raises_an_error(many, step):
    with pytest.raises(ValueError, match="`step` must"):
        MaskedLMMaskGenerator(many)(np.array([[7]]), step)
    if isinstance(step, (float, list)):
        with pytest.raises(ValueError, match="`step` must"):
            MaskedLMMaskGenerator(many)(np.array([[7]]), tf.constant(step))


def test_unused_positions_do_not_change_the_loss(many):
    masked = MaskedLMMaskGenerator(many, mask_selection_length=29)(
        rows_of(many), 0
    )
    right = (
        99 * np.eye(many.vocabulary_size(), dtype="float32")[masked["labels"]]
    )
    loss = keras_seq.training.TokenCrossEntropy()
    assert float(loss(masked["labels"], right)) < 1e-5
    right[masked["labels"] == 0] = 0
    assert float(loss(masked["labels"], right)) < 1e-5


@pytest.mark.tensorflow_only
def test_bert_predicts_at_the_mask_positions(letters):
    packer = MultiSegmentPacker(letters, 17, truncate="longest_first")
    first, second, follows = sentence_pairs([["a b c", "d"], ["f g", "a"]] * 5)
    packed = {**packer(first, second), "next_sentence": follows}
    data = tf.data.Dataset.from_tensor_slices(packed).batch(5)
    bert = keras_seq.models.BERT(
        letters.vocabulary_size(), 8, num_heads=2, num_layers=1
    )
    model = keras_seq.models.BERTPretrainer(bert)
    masked = keras_seq.training.TokenCrossEntropy()
    follows = keras_seq.training.TokenCrossEntropy(pad_id=None)
    batch = next(iter(MaskedLMMaskGenerator(letters).each_epoch(data)))
    batch = {name: x.numpy() for name, x in batch.items()}
    labels, answers = batch.pop("labels"), batch.pop("next_sentence")
    logits = model.predict_on_batch(batch)
    assert logits["masked_lm"].shape == (5, 3, letters.vocabulary_size())
    assert np.isfinite(float(masked(labels, logits["masked_lm"])))
    assert np.isfinite(float(follows(answers, logits["next_sentence"])))


# Sentence pairs.

DOCUMENTS = [
    [f"{name}{i}" for i in range(size)]
    for name, size in (("a", 101), ("b", 7), ("c", 53), ("d", 1), ("e", 211))
]


def test_half_of_the_pairs_are_neighbors():
    first, second, labels = sentence_pairs(DOCUMENTS, seed=3)
    assert len(first) == len(second) == len(labels) == 100 + 6 + 52 + 210
    assert labels.sum() == len(labels) / 2
    for a, b, label in zip(first, second, labels):
        if label:
            assert a[0] != b[0]
        else:
            assert b == f"{a[0]}{int(a[1:]) + 1}"


def test_the_second_text_alone_does_not_predict_the_label():
    beginnings = {document[0] for document in DOCUMENTS}
    drawn = set()
    for seed in range(11):
        _, second, labels = sentence_pairs(DOCUMENTS, seed)
        assert not beginnings & set(second)
        drawn |= {b for b, label in zip(second, labels) if label}
    assert {text[0] for text in drawn} == set("abce")


def test_the_same_seed_gives_the_same_pairs():
    one, same, other = (sentence_pairs(DOCUMENTS, s) for s in (3, 3, 5))
    assert one[1] == same[1] and np.array_equal(one[2], same[2])
    assert one[1] != other[1]


@pytest.mark.parametrize(
    "documents",
    [[], [["a", "b"]], [["a", "b"], ["c"]], ["ab", "cd"], [[1, 2], [3, 4]]],
)
def test_documents_without_pairs_raise_an_error(documents):
    with pytest.raises(ValueError, match="`documents` must"):
        sentence_pairs(documents)


def test_a_bad_seed_of_pairs_raises_an_error():
    with pytest.raises(ValueError, match="`seed` must"):
        sentence_pairs(DOCUMENTS, -1)


def test_sentences_fill_a_text_up_to_its_budget(letters):
    documents = [["a b", "c", "d e f", "g a b c d e", "f"], ["a"], []]
    filled = fill_texts(documents, letters, 3)
    assert filled == [["a b c", "d e f", "g a b c d e", "f"], ["a"], []]


def test_bad_arguments_of_fill_texts_raise_an_error(letters):
    with pytest.raises(ValueError, match="`budget` must"):
        fill_texts(DOCUMENTS, letters, 0)
    with pytest.raises(ValueError, match="`documents` must"):
        fill_texts(["ab"], letters, 3)


# Offsets.


def test_offsets_of_wordpieces_are_their_letters(wordpiece):
    ids, offsets = wordpiece.tokenize_with_offsets(CONTEXTS)
    assert np.array_equal(ids, wordpiece.tokenize(CONTEXTS))
    for text, row, ends in zip(composed(CONTEXTS), ids, offsets):
        for token, (i, j) in zip(wordpiece.tokens(row), ends):
            if token == "[PAD]":
                assert i == j == 0
            elif token != "[UNK]":
                assert text[i:j] == token.removeprefix("##")


def test_the_offsets_of_an_unknown_word_cover_it(letters):
    _, offsets = letters.tokenize_with_offsets("a 안녕🙂 b")
    assert offsets.tolist() == [[0, 1], [2, 5], [6, 7]]


def test_offsets_of_sentencepieces_cover_the_text(unigram):
    texts = [*CONTEXTS, "", " ", "  x\ty\0 ", "漢字\U0001f680 z"]
    ids, offsets = unigram.tokenize_with_offsets(texts)
    assert np.array_equal(ids, unigram.tokenize(texts))
    for text, row, ends in zip(composed(texts), ids, offsets):
        seen = 0
        for token, (i, j) in zip(unigram.tokens(row), ends):
            if token == "[PAD]":
                continue
            assert i in (seen, seen - 1) and j >= seen
            if not token.startswith("<0x"):
                assert text[i:j] == token.replace("\u2581", " ")
            seen = j
        assert seen == len(text)


def test_each_byte_has_the_offsets_of_its_character(unigram):
    ids, offsets = unigram.tokenize_with_offsets("a漢b")
    assert unigram.tokens(ids)[1:4] == ["<0xE6>", "<0xBC>", "<0xA2>"]
    assert offsets.tolist() == [[0, 1], *[[1, 2]] * 3, [2, 3]]


def test_the_offsets_of_a_character_are_its_index():
    tokenizer = CharTokenizer("ab가")
    ids, offsets = tokenizer.tokenize_with_offsets(["a가?", "b"])
    assert np.array_equal(ids, tokenizer.tokenize(["a가?", "b"]))
    assert offsets.tolist() == [
        [[0, 1], [1, 2], [2, 3]],
        [[0, 1], *[[0, 0]] * 2],
    ]


def test_offsets_are_those_before_lower_casing():
    tokenizer = WordPieceTokenizer(["cafe", "강", "x", "##y"], lower_case=True)
    text = "  CAFÉ  강 x\u0307Y\u0307 \u0301 CAFÉ"
    ids, offsets = tokenizer.tokenize_with_offsets(text)
    text = unicodedata.normalize("NFC", text)
    assert tokenizer.tokens(ids) == ["cafe", "강", "x", "##y", "cafe"]
    read = [text[i:j] for i, j in offsets]
    assert read == ["CAFÉ", "강", "ẋ", "Ẏ", "CAFÉ"]


def test_a_removed_accent_belongs_to_the_character_before_it():
    tokenizer = WordPieceTokenizer(["q", "##j"], lower_case=True)
    _, offsets = tokenizer.tokenize_with_offsets("Q\u0307J\u0307 q\u0307")
    assert offsets.tolist() == [[0, 2], [2, 4], [5, 7]]


def test_a_tensor_has_the_offsets_of_python(tokenizer):
    for texts in (CONTEXTS, [""], ["", "🙂가", b"\xff"], []):
        tensors = tokenizer.tokenize_with_offsets(tf.constant(texts, tf.string))
        python = tokenizer.tokenize_with_offsets(texts)
        assert all(map(np.array_equal, tensors, python))
        assert python[1].shape == (*python[0].shape, 2)
    ids, offsets = tokenizer.tokenize_with_offsets("가 a")
    assert ids.ndim == 1 and offsets.shape == (len(ids), 2)


# Answers.


def answers(text):
    """List every word and every two of a text, as (start, end)."""
    words = list(text_words(text))
    return words + [(a[0], b[1]) for a, b in itertools.pairwise(words)]


def text_words(text):
    place = 0
    for word in text.split():
        place = text.index(word, place)
        yield place, place + len(word)
        place += len(word)


def test_an_answer_is_restored_as_in_the_text(tokenizer):
    for text in composed(CONTEXTS):
        starts, ends = np.array(answers(text)).T
        packed = MultiSegmentPacker(tokenizer)(
            ["누가 놀아요?"] * len(starts), [text] * len(starts), offsets=True
        )
        spans = span_to_tokens(packed, starts, ends)
        assert spans.dtype == "int32" and np.all(spans[:, 0] > 0)
        found = tokens_to_text(packed, [text] * len(starts), spans)
        assert found == [text[i:j] for i, j in zip(starts, ends)]


def test_the_tokens_of_an_answer_overlap_with_it(letters):
    text = "a bx c dx"
    packed = MultiSegmentPacker(letters, 13)(
        ["e"] * 4, [text] * 4, offsets=True
    )
    # [CLS] e [SEP] a b ##x c d ##x [SEP]
    spans = span_to_tokens(packed, [0, 3, 2, 5], [1, 4, 6, 9])
    assert spans.tolist() == [[3, 3], [5, 5], [4, 6], [6, 8]]


def test_white_space_around_an_answer_is_removed(letters):
    text = "\u3000a\xa0b "
    packed = MultiSegmentPacker(letters)(["c"], [text], offsets=True)
    packed["offsets"][0, 3:5] = [[0, 2], [2, 5]]
    assert tokens_to_text(packed, [text], [[3, 4]]) == ["a\xa0b"]


def test_an_answer_in_the_first_text_is_found_there(letters):
    packed = MultiSegmentPacker(letters)(["a b", "c d"], offsets=True)
    spans = span_to_tokens(packed, [2, 0], [3, 3], segment=0)
    assert spans.tolist() == [[2, 2], [1, 2]]
    assert tokens_to_text(packed, ["a b", "c d"], spans) == ["b", "c d"]


def test_a_truncated_answer_has_no_tokens(letters):
    text = ["a b c bx c d"] * 4
    packer = MultiSegmentPacker(letters, 8, truncate="only_second")
    packed = packer(["e"] * 4, text, offsets=True)  # a b c b stay
    spans = span_to_tokens(packed, [6, 6, 9, 4], [7, 8, 12, 7])
    assert spans.tolist() == [[6, 6], [0, 0], [0, 0], [5, 6]]


def test_a_missing_answer_is_an_empty_text(letters):
    packed = MultiSegmentPacker(letters)(["a"] * 2, ["b c"] * 2, offsets=True)
    spans = span_to_tokens(packed, [0, -1], [0, -1])
    assert spans.tolist() == [[0, 0], [0, 0]]
    assert tokens_to_text(packed, ["b c"] * 2, spans) == ["", ""]


NO = -100


def test_an_answer_that_begins_at_0_has_no_special_token(letters):
    packed = MultiSegmentPacker(letters, 13)(["a b"], ["a bx c"], offsets=True)
    # [CLS] a b [SEP] a b ##x c [SEP]
    assert span_to_tokens(packed, [0], [2]).tolist() == [[4, 4]]
    far = np.array([2**32])
    assert span_to_tokens(packed, far, far + 1).tolist() == [[0, 0]]
    with pytest.raises(ValueError, match="`starts` must be at least 0"):
        span_to_tokens(packed, [-1], [2])


def test_tokens_are_tagged_with_the_number_of_their_span(letters):
    texts = ["a bx c", "d", ""]
    packed = MultiSegmentPacker(letters, 11)(texts, offsets=True)
    # [CLS] a b ##x c [SEP]
    spans = [[[2, 4], [5, 6]], [[0, 0], [0, 1]], [[-1, -1], [0, 2]]]
    tags = tag_spans(packed, spans)
    assert tags.dtype == "int32" and tags.tolist() == [
        [NO, 0, 1, 1, 2, *[NO] * 6],
        [NO, 2, *[NO] * 9],
        [NO] * 11,
    ]


def test_a_token_of_two_spans_has_the_number_of_the_later_one(letters):
    packed = MultiSegmentPacker(letters, 7)(["a bx c"], offsets=True)
    tags = tag_spans(packed, [[[0, 4], [2, 6], [3, 4]]])
    assert tags.tolist() == [[NO, 1, 2, 3, 2, NO, NO]]


def test_a_span_of_the_second_text_is_tagged_in_its_segment(letters):
    packer = MultiSegmentPacker(letters, 11)
    packed = packer(["a b"] * 3, ["a bx c", "", "c"], offsets=True)
    tags = tag_spans(packed, [[[0, 1]]] * 3, segment=1, ignore_id=-1)
    # [CLS] a b [SEP] a b ##x c [SEP]
    assert tags[0].tolist() == [-1, -1, -1, -1, 1, 0, 0, 0, -1, -1, -1]
    assert tags[1].tolist() == [-1] * 11
    assert tags[2].tolist() == [-1, -1, -1, -1, 1, *[-1] * 6]


def test_the_rest_of_a_truncated_span_is_ignored(letters):
    packed = MultiSegmentPacker(letters, 5, truncate="longest_first")(
        ["a c bx d"], offsets=True
    )
    tags = tag_spans(packed, [[[0, 1], [4, 6], [7, 8]]])  # [CLS] a c b [SEP]
    assert tags.tolist() == [[NO, 1, 0, NO, NO]]


def test_a_saved_model_finds_the_answers_of_python(unigram, tmp_path):
    packer = MultiSegmentPacker(unigram, 101, truncate="only_second")
    texts = composed(CONTEXTS)
    starts, ends = np.array([answers(text)[2] for text in texts]).T

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    def find(questions, texts):
        packed = packer(questions, texts, offsets=True)
        spans = span_to_tokens(packed, tf.constant(starts), tf.constant(ends))
        return packed, spans, tokens_to_text(packed, texts, spans)

    module = tf.Module()
    module.find = find
    tf.saved_model.save(module, str(tmp_path))
    find = tf.saved_model.load(str(tmp_path)).find
    packed, spans, found = find(tf.constant(["🙂"] * 4), tf.constant(CONTEXTS))
    python = packer(["🙂"] * 4, CONTEXTS, offsets=True)
    for name, x in packed.items():
        assert np.array_equal(x, python[name])
    assert np.array_equal(spans, span_to_tokens(python, starts, ends))
    found = [text.decode() for text in found.numpy()]
    assert found == [text[i:j] for text, i, j in zip(texts, starts, ends)]


def test_bad_spans_raise_an_error(letters):
    packed = MultiSegmentPacker(letters)(
        ["a", "b"], ["c d", "e f"], offsets=True
    )
    with pytest.raises(ValueError, match="`packed` must"):
        span_to_tokens({"token_ids": packed["token_ids"]}, [0, 0], [1, 1])
    with pytest.raises(ValueError, match="`starts` must"):
        span_to_tokens(packed, [0], [1, 1])
    with pytest.raises(ValueError, match="`starts` must"):
        span_to_tokens(packed, [0.5, 0.5], [1, 1])
    with pytest.raises(ValueError, match="`ends` must"):
        span_to_tokens(packed, [0, 0], [[1], [1]])
    with pytest.raises(ValueError, match="`spans` must"):
        tokens_to_text(packed, ["c d", "e f"], [[4, 3], [3, 3]])
    with pytest.raises(ValueError, match="`spans` must"):
        tokens_to_text(packed, ["c d", "e f"], [[3, 97], [3, 3]])
    with pytest.raises(ValueError, match="`spans` must"):
        tokens_to_text(packed, ["", ""], [[4, 4], [3, 3]])
    # From [CLS], from the question, from its [SEP]; one text for two rows.
    for bad in ([0, 4], [1, 4], [2, 3]):
        with pytest.raises(ValueError, match="`spans` must"):
            tokens_to_text(packed, ["c d", "e f"], [bad, [3, 3]])
    with pytest.raises(ValueError, match="`texts` must be one"):
        tokens_to_text(packed, ["c d"], [[3, 3], [3, 3]])


def test_bad_spans_to_tag_raise_an_error(letters):
    packed = MultiSegmentPacker(letters)(["a"] * 3, ["b c"] * 3, offsets=True)
    for spans, rule in (
        ([[0, 1]] * 3, r"int \(B, N, 2\).*\(3, 2\)"),
        ([[[0, 1]]] * 2, r"each of 3 rows.*\(2, 1, 2\)"),
        ([[[0, 1, 2]]] * 3, r"\(3, 1, 3\)"),
        ([[[0.0, 1.0]]] * 3, "float64"),
        ([[[0, 1]], [[0, 1]] * 2, []], "pad with"),
        ([[[-1, 1]]] * 3, "begin at 0"),
    ):
        with pytest.raises(ValueError, match=f"`spans` must.*{rule}"):
            tag_spans(packed, spans)
    spans = [[[0, 1]]] * 3
    with pytest.raises(ValueError, match="`segment` must.*segment=2"):
        tag_spans(packed, spans, segment=2)
    for bad in (0, 1, -1.5, None):
        with pytest.raises(ValueError, match="`ignore_id` must"):
            tag_spans(packed, spans, ignore_id=bad)
    with pytest.raises(ValueError, match="`packed` must be NumPy"):
        tag_spans({k: tf.constant(x) for k, x in packed.items()}, spans)
    with pytest.raises(ValueError, match="`packed` must have offsets"):
        tag_spans(
            {
                "token_ids": packed["token_ids"],
                "segment_ids": packed["segment_ids"],
            },
            spans,
        )


# Tags.


def test_the_first_token_of_a_word_has_its_tag(letters):
    words, tags = [["ax", "b", "cxx"], ["d"]], [[7, 8, 9], [1]]
    inputs, aligned = align_tags(MultiSegmentPacker(letters, 11), words, tags)
    no = -100
    assert set(inputs) == {"token_ids", "segment_ids"}
    assert inputs["token_ids"][0].tolist() == [
        2,
        5,
        12,
        6,
        7,
        12,
        12,
        3,
        0,
        0,
        0,
    ]
    assert aligned.tolist() == [
        [no, 7, no, 8, 9, no, no, no, no, no, no],
        [no, 1, *[no] * 9],
    ]
    assert aligned.dtype == "int32"


def test_word_tags_inverts_align_tags(tokenizer):
    words = [text.split() for text in CONTEXTS]
    tags = [[3 + i % 5 for i, _ in enumerate(row)] for row in words]
    packer = MultiSegmentPacker(tokenizer)
    inputs, aligned = align_tags(packer, words, tags, ignore_id=0)
    assert np.count_nonzero(aligned) == sum(map(len, words))
    assert np.all(inputs["token_ids"][aligned > 0] > 3)
    noise = np.where(aligned, aligned, 99)
    assert word_tags(packer, words, noise) == tags


def test_a_word_of_sentencepiece_begins_at_its_first_letter(unigram):
    words = ["강아지가", "漢字", "cat"]
    inputs, aligned = align_tags(
        MultiSegmentPacker(unigram), [words], [[7, 8, 9]]
    )
    tagged = unigram.tokens(inputs["token_ids"][0][aligned[0] != -100])
    assert [token.strip("\u2581")[0] for token in tagged] == ["강", "<", "c"]


def test_a_truncated_word_has_no_tag(letters):
    words, tags = (
        [["a", "bx", "c"], ["\u200b", "d"], []],
        [[7, 8, 9], [5, 6], []],
    )
    packer = MultiSegmentPacker(letters, 4, truncate="longest_first")
    _, aligned = align_tags(packer, words, tags)
    assert aligned.tolist() == [
        [-100, 7, 8, -100],
        [-100, 6, -100, -100],
        [-100] * 4,
    ]
    assert word_tags(packer, words, aligned) == [[7, 8, -100], [-100, 6], []]


def test_bad_tags_raise_an_error(letters):
    packer = MultiSegmentPacker(letters)
    with pytest.raises(ValueError, match="`tags` must"):
        align_tags(packer, [["a", "b"]], [[1]])
    with pytest.raises(ValueError, match="`tags` must"):
        align_tags(packer, [["a", "b"]], [[1, 2], [3]])
    with pytest.raises(ValueError, match="`words` must"):
        align_tags(packer, ["ab"], [[1, 2]])
    for tags in ([["B-x", 1]], [[1.7, 1]]):
        with pytest.raises(ValueError, match="`tags` must be lists of int"):
            align_tags(packer, [["a", "b"]], tags)
    with pytest.raises(ValueError, match="`words` must"):
        word_tags(packer, [[1]], [[1]])
    with pytest.raises(ValueError, match="`predictions` must"):
        word_tags(packer, [["a"]], [[1]])
    with pytest.raises(ValueError, match="Received float"):
        word_tags(packer, [["a"]], 0.5 * packer(["a"])["token_ids"])


@pytest.mark.parametrize("name", keras_seq.text.__all__)
def test_every_public_name_says_what_it_takes(name):
    public = getattr(keras_seq.text, name)
    title = inspect.getdoc(public).splitlines()[0]
    assert title.endswith(".")
    if not name.endswith("Tokenizer"):
        assert {"Returns:", "Raises:"} <= set(
            inspect.getdoc(public).split("\n")
        )
