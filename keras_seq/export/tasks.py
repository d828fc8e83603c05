"""Write SavedModels of a BERT that was fine-tuned: text in, answer out.

    BERTClassifier   text, or text and second  ->  label, probabilities
    BERTTagger       text                      ->  tags, of which pieces
    BERTSpanQA       question, text            ->  answer, score

Shapes: B texts, T tokens, C classes or tags.
"""

from keras import ops

from keras_seq import checks
from keras_seq.export.writing import (
    check_backend,
    check_labels,
    check_source,
    in_tensorflow,
    write,
)
from keras_seq.models.bert_tasks import (
    BERTClassifier,
    BERTSpanQA,
    BERTTagger,
    best_span,
)
from keras_seq.text import MultiSegmentPacker
from keras_seq.text.token_spans import tokens_to_text
from keras_seq.text.unicode import text_tensor


def export_bert_classifier(model, path, *, packer, labels, pairs=False):
    """Write a SavedModel that says what kind a text, or a pair of texts, is.

    Args:
        model: a built `BERTClassifier`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        packer: `MultiSegmentPacker`, that of the training.
        labels: list of C str, the names of the classes.
        pairs: bool, read two texts. Default False.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,), and
        for pairs `second` alike; and gives `label`, string (B,), the
        likeliest class, and `probabilities`, float (B, C).
    Raises:
        ValueError: if the backend is PyTorch, `model` is of another kind or
            not built, its vocabulary is not the packer's, or `labels` are
            not C names.
    """
    labels = check_labels(labels, _check(model, BERTClassifier, packer))
    import tensorflow as tf

    classify = _on_packed(
        model, lambda logits: ops.softmax(ops.cast(logits, "float32"))
    )

    def answer(*texts):
        p = classify(_read(packer, model, *texts))
        label = tf.gather(tf.constant(labels), tf.argmax(p, axis=-1))
        return {"label": label, "probabilities": p}

    write(path, answer, ("text", "second") if pairs else ("text",))


def export_bert_tagger(model, path, *, packer, labels):
    """Write a SavedModel that gives each token of a text a tag.

    Args:
        model: a built `BERTTagger`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        packer: `MultiSegmentPacker`, that of the training.
        labels: list of C str, the names of the tags.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,), and
        gives for each token `tags`, string (B, T), the likeliest, "" for
        marks and padding; `starts` and `ends`, int32 (B, T), the characters
        that it was read from, of the text in NFC; and these themselves,
        `pieces`, string (B, T). A word's tag is that of its first token.
    Raises:
        ValueError: if the backend is PyTorch, `model` is of another kind or
            not built, its vocabulary is not the packer's, or `labels` are
            not C names.
    """
    labels = check_labels(labels, _check(model, BERTTagger, packer))
    import tensorflow as tf

    tag = _on_packed(model, lambda logits: ops.argmax(logits, axis=-1))

    def answer(text):
        packed = _read(packer, model, text, offsets=True)
        starts, ends = tf.unstack(packed["offsets"], axis=-1)
        names = tf.gather(tf.constant(labels), tag(packed))
        texts = tf.broadcast_to(text_tensor(text)[0][:, None], tf.shape(names))
        sizes = ends - starts
        return {
            "tags": tf.where(sizes > 0, names, ""),
            "pieces": tf.strings.substr(texts, starts, sizes, "UTF8_CHAR"),
            "starts": starts,
            "ends": ends,
        }

    write(path, answer)


def export_bert_span_qa(model, path, *, packer, max_length=30):
    """Write a SavedModel that finds the answer to a question in a text.

    Args:
        model: a built `BERTSpanQA`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        packer: `MultiSegmentPacker`, that of the training.
        max_length: int > 0, tokens of an answer. Default 30.
    Returns:
        None. The signature "serving_default" takes `question` and `text`,
        string (B,), and gives `answer`, string (B,), a part of the text in
        NFC, "" where the model finds none; and `score`, float (B,), the sum
        of the log-probabilities of its two ends, in nats.
    Raises:
        ValueError: if the backend is PyTorch, `model` is of another kind or
            not built, its vocabulary is not the packer's, or `max_length` is no
            int > 0.
    """
    checks.positive_int(max_length=max_length)
    _check(model, BERTSpanQA, packer)

    def find(ends):
        spans = best_span(ends["start"], ends["end"], max_length)
        score = 0.0
        for n, name in enumerate(("start", "end")):
            p = ops.log_softmax(ends[name], axis=-1)
            score += ops.take_along_axis(p, spans[:, n : n + 1], axis=1)[:, 0]
        return {"spans": spans, "score": score}

    seek = _on_packed(model, find)

    def answer(question, text):
        packed = _read(packer, model, question, text, offsets=True)
        found = seek(packed)
        said = tokens_to_text(
            packed, text, found["spans"], packer.tokenizer.normal_form
        )
        return {"answer": said, "score": found["score"]}

    write(path, answer, ("question", "text"))


def _check(model, kind, packer):
    """Refuse what cannot be exported; give the shape of a text's classes."""
    check_backend()
    if not isinstance(model, kind):
        raise ValueError(
            f"`model` must be a {kind.__name__}. Received model={model!r}."
        )
    checks.built(model)
    if not isinstance(packer, MultiSegmentPacker):
        raise ValueError(
            "`packer` must be a MultiSegmentPacker. Received "
            f"packer={packer!r}."
        )
    check_source(model.bert, "packer.tokenizer", packer.tokenizer)
    return (model.head.units,)


def _on_packed(model, function):
    """Make a TensorFlow function of packed texts: of what the model gives.

    Both rows go as one tensor (B, T, 2): JAX would take two for tensors of
    different lengths.
    """
    import tensorflow as tf

    def call(rows):
        inputs = {"token_ids": rows[..., 0], "segment_ids": rows[..., 1]}
        return function(model(inputs, training=False))

    spec = tf.TensorSpec([None, None, 2], tf.int32, name="rows")
    called = in_tensorflow(model, call, spec)
    names = ("token_ids", "segment_ids")
    return lambda packed: called(tf.stack([packed[n] for n in names], -1))


def _read(packer, model, *texts, offsets=False):
    """Pack texts, no more than the model can read."""
    import tensorflow as tf

    packed, most = packer(*texts, offsets=offsets), model.bert.max_length
    tf.debugging.assert_less_equal(
        tf.shape(packed["token_ids"])[1],
        most,
        f"A row has more than {most} tokens.",
    )
    return packed
