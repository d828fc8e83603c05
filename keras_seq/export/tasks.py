"""SavedModels of a fine-tuned BERT, which reads packed texts.

    BERTClassifier   text, or text and second  ->  label, probabilities
    BERTTagger       text                      ->  tags, and their pieces
    BERTSpanQA       question, text            ->  answer, score

Shapes: B texts, T tokens, C classes or tags.
"""

from keras import ops

from keras_seq import checks
from keras_seq.export.saved_model import (
    check_backend,
    tensorflow_function,
    write_text_function,
)
from keras_seq.export.validation import check_labels, check_source
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
    """Write a SavedModel that classifies texts, or pairs of texts.

    Args:
        model: a built `BERTClassifier`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        packer: `MultiSegmentPacker`, the one of the training.
        labels: list of C str, the names of the classes.
        pairs: bool, read two texts. Default False.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,), and
        for pairs `second`, string (B,). It returns `label`, string (B,), the
        most probable class, and `probabilities`, float (B, C).
    Raises:
        ValueError: if an argument is invalid, or the backend is PyTorch.
    """
    labels = check_labels(labels, _check(model, BERTClassifier, packer))
    import tensorflow as tf

    classify = _on_packed(
        model, lambda logits: ops.softmax(ops.cast(logits, "float32"))
    )

    def answer(*texts):
        p = classify(_pack(packer, model, *texts))
        label = tf.gather(tf.constant(labels), tf.argmax(p, axis=-1))
        return {"label": label, "probabilities": p}

    names = ("text", "second") if pairs else ("text",)
    write_text_function(path, answer, names)


def export_bert_tagger(model, path, *, packer, labels):
    """Write a SavedModel that tags each token of a text.

    Args:
        model: a built `BERTTagger`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        packer: `MultiSegmentPacker`, the one of the training.
        labels: list of C str, the names of the tags.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,). It
        returns `tags`, string (B, T), the most probable tag of each token, ""
        on special tokens and padding; `starts` and `ends`, int32 (B, T), the
        token's characters in the text, in the normal form of the tokenizer;
        and `pieces`, string (B, T), these characters. The tag of a word is
        that of its first token.
    Raises:
        ValueError: if an argument is invalid, or the backend is PyTorch.
    """
    labels = check_labels(labels, _check(model, BERTTagger, packer))
    import tensorflow as tf

    tag = _on_packed(model, lambda logits: ops.argmax(logits, axis=-1))

    def answer(text):
        packed = _pack(packer, model, text, offsets=True)
        starts, ends = tf.unstack(packed["offsets"], axis=-1)
        names = tf.gather(tf.constant(labels), tag(packed))
        return {
            "tags": tf.where(ends > starts, names, ""),
            "pieces": _pieces(packer, text, starts, ends),
            "starts": starts,
            "ends": ends,
        }

    write_text_function(path, answer)


def _pieces(packer, text, starts, ends):
    """Cut texts, string (B,), at characters, int (B, T): string (B, T)."""
    import tensorflow as tf

    texts, _ = text_tensor(text, form=packer.tokenizer.normal_form)
    texts = tf.broadcast_to(texts[:, None], tf.shape(starts))
    return tf.strings.substr(texts, starts, ends - starts, "UTF8_CHAR")


def export_bert_span_qa(model, path, *, packer, max_length=30):
    """Write a SavedModel that finds the answer to a question in a text.

    Args:
        model: a built `BERTSpanQA`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        packer: `MultiSegmentPacker`, the one of the training.
        max_length: int > 0, tokens of an answer. Default 30.
    Returns:
        None. The signature "serving_default" takes `question` and `text`,
        string (B,). It returns `answer`, string (B,), a part of the text in
        NFC, "" if there is no answer; and `score`, float (B,), the sum of the
        log-probabilities of its two ends, in nats.
    Raises:
        ValueError: if an argument is invalid, or the backend is PyTorch.
    """
    checks.positive_int(max_length=max_length)
    _check(model, BERTSpanQA, packer)
    find = _on_packed(model, lambda ends: _best_spans(ends, max_length))

    def answer(question, text):
        packed = _pack(packer, model, question, text, offsets=True)
        found = find(packed)
        answers = tokens_to_text(
            packed, text, found["spans"], packer.tokenizer.normal_form
        )
        return {"answer": answers, "score": found["score"]}

    write_text_function(path, answer, ("question", "text"))


def _best_spans(ends, max_length):
    """Return spans, int (B, 2), and their scores of float (B, T) logits."""
    spans = best_span(ends["start"], ends["end"], max_length)
    score = 0.0
    for n, name in enumerate(("start", "end")):
        log_p = ops.log_softmax(ends[name], axis=-1)
        place = spans[:, n : n + 1]
        score += ops.take_along_axis(log_p, place, axis=1)[:, 0]
    return {"spans": spans, "score": score}


def _check(model, kind, packer):
    """Validate model and packer; return the shape of one text's outputs."""
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
    """Make a TensorFlow function of packed texts.

    Both rows are one tensor (B, T, 2): JAX would treat two tensors as of
    different lengths.
    """
    import tensorflow as tf

    def call(rows):
        inputs = {"token_ids": rows[..., 0], "segment_ids": rows[..., 1]}
        return function(model(inputs, training=False))

    spec = tf.TensorSpec([None, None, 2], tf.int32, name="rows")
    run = tensorflow_function(model, call, spec)
    names = ("token_ids", "segment_ids")
    return lambda packed: run(tf.stack([packed[n] for n in names], -1))


def _pack(packer, model, *texts, offsets=False):
    """Pack texts; an error if a row is longer than the model supports."""
    import tensorflow as tf

    packed = packer(*texts, offsets=offsets)
    limit = model.bert.max_sequence_length
    tf.debugging.assert_less_equal(
        tf.shape(packed["token_ids"])[1],
        limit,
        f"A row has more than {limit} tokens.",
    )
    return packed
