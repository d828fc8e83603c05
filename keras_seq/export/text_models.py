"""export_text_model: a SavedModel that generates text from text.

Tokenizer, network, decoding loop and detokenizer are in one graph. It returns
the strings that these lines return in Python:

    ids = source_tokenizer.tokenize(texts)
    found = generate(model, ids, sampler, max_length=max_length)
    target_tokenizer.detokenize(found.ids)

A translator returns the translation; a language model returns the text after
the prompt, without the prompt. The signature "serving_default" takes `text`,
string (B,), and returns a dict:

    text            string (B,)
    score           float (B,), as `Generated.scores`
    attention       float (B, L, S), with `attention=True`, as are the next two
    source_tokens   string (B, S), "[PAD]" on padding
    target_tokens   string (B, L), "[PAD]" after the end

With `BeamSearch(return_all_beams=True)` an axis W follows B in all but
`source_tokens`. `Sampling` without a seed draws anew for each request; with a
seed it always draws the same, and on the TensorFlow backend the same as
`generate` (JAX draws other numbers). A text longer than the model supports is
an error of the request.

Shapes: B texts, S source ids, L generated ids, W beams.
"""

from keras_seq import checks
from keras_seq.export.saved_model import (
    check_backend,
    exportable_top_k,
    tensorflow_function,
    write_text_function,
)
from keras_seq.export.validation import check_source, check_target
from keras_seq.generation.decoding import GREEDY, check_generation
from keras_seq.generation.decoding_loop import decode
from keras_seq.generation.prompts import max_prompt_length
from keras_seq.generation.samplers import Sampler, Sampling


def export_text_model(
    model,
    path,
    *,
    source_tokenizer,
    target_tokenizer=None,
    sampler=GREEDY,
    max_length,
    end_id=None,
    source_start=False,
    source_end=False,
    attention=False,
):
    """Write a SavedModel that generates text from text.

    Args:
        model: a built `AutoregressiveModel` with the tokenizers' `pad_id`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        source_tokenizer: `Tokenizer` of the prompts or sources.
        target_tokenizer: optional `Tokenizer`. Default: `source_tokenizer`.
        sampler: one that keeps `draw_noise` of ours. Default `Greedy()`.
        max_length: int > 0, the largest number of generated tokens, L.
        end_id: optional int. Default: the model's, or the target tokenizer's.
        source_start: bool, add the start token to a source. Default False.
        source_end: bool, add the end token to a source. Default False.
        attention: bool, serve the cross-attention as well. Default False.
    Raises:
        ValueError: if an argument is invalid, or the backend is PyTorch.
    """
    max_length = checks.positive_int(max_length=max_length)
    target_tokenizer = target_tokenizer or source_tokenizer
    _check(model, sampler, end_id, source_tokenizer, target_tokenizer)
    end_id = _first(
        end_id, getattr(model, "end_id", None), target_tokenizer.end_id
    )
    marks = {"start": source_start, "end": source_end}
    read = _reader(model, source_tokenizer, marks, max_length)
    generate = _generator(model, sampler, max_length, end_id, attention)
    write = _writer(source_tokenizer, target_tokenizer, attention)
    write_text_function(path, lambda text: write(*generate(read(text))))


def _check(model, sampler, end_id, source_tokenizer, target_tokenizer):
    check_backend()
    check_generation(model, sampler, end_id)
    _check_noise(sampler)
    check_source(model, "source_tokenizer", source_tokenizer)
    check_target(model, target_tokenizer)


def _check_noise(sampler):
    """Raise a ValueError if `_noise` cannot draw what the sampler draws."""
    known = (Sampler.draw_noise, Sampling.draw_noise)
    if type(sampler).draw_noise not in known:
        raise ValueError(
            "`sampler` must not override `draw_noise` of `Sampler` or "
            f"`Sampling` to be exported. Received sampler={sampler!r}."
        )


def _first(*values):
    return next((value for value in values if value is not None), None)


def _reader(model, tokenizer, marks, max_length):
    """Return a TensorFlow function: string (B,) -> source ids, int (B, S)."""
    import tensorflow as tf

    limit = max_prompt_length(model, max_length)

    def read(text):
        source = tokenizer.tokenize(text, **marks)
        if limit is not None:
            tf.debugging.assert_less_equal(
                tf.shape(source)[1],
                limit,
                f"A text has more than {limit} tokens.",
            )
        return source

    return read


def _generator(model, sampler, max_length, end_id, attention):
    """Return a TensorFlow function: source ids -> themselves, a dict."""
    import tensorflow as tf

    top_k = exportable_top_k()

    def loop(ids, noise):
        found = decode(model, ids, noise, sampler, max_length, end_id, top_k)
        outputs = {"ids": found.ids, "score": found.scores}
        if not attention:
            return outputs
        if found.attention is None:
            raise ValueError(
                "`attention` needs a model with cross-attention. Received "
                f"attention=True, model={model!r}."
            )
        return {**outputs, "attention": found.attention}

    ids_spec = tf.TensorSpec([None, None], tf.int32, name="ids")
    noise_spec = tf.TensorSpec([None, max_length], tf.float32, name="noise")
    run = tensorflow_function(model, loop, ids_spec, noise_spec)

    def generate(source):
        noise = _noise(sampler, [tf.shape(source)[0], max_length])
        return source, run(source, noise)

    return generate


def _writer(source_tokenizer, target_tokenizer, attention):
    """Return a TensorFlow function: source ids, a dict -> the answers."""
    import tensorflow as tf

    def write(source, found):
        answers = dict(found)
        ids = answers.pop("ids")  # (B, L), or (B, W, L)
        rows = tf.reshape(ids, [-1, ids.shape[-1]])
        texts = target_tokenizer.detokenize(rows)
        answers["text"] = tf.reshape(texts, tf.shape(ids)[:-1])
        if attention:
            tokens = target_tokenizer.tokens(rows)
            answers["target_tokens"] = tf.reshape(tokens, tf.shape(ids))
            answers["source_tokens"] = source_tokenizer.tokens(source)
        return answers

    return write


def _noise(sampler, shape):
    """Draw what `sampler.draw_noise` draws, in TensorFlow's graph."""
    import tensorflow as tf

    if type(sampler).draw_noise is Sampler.draw_noise:
        return tf.zeros(shape)
    if sampler.seed is not None:
        seed = sampler.seed % (2**31 - 2)  # as Keras folds it
        return tf.random.stateless_uniform(shape, [seed, 0])
    # tf.random.uniform would keep the seed that is set while exporting, and
    # every server would begin with the same draws.
    return tf.raw_ops.RandomUniform(shape=shape, dtype=tf.float32)
