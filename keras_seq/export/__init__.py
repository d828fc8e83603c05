"""Export: a SavedModel that takes text and returns text.

A server receives sentences, not ids. An export holds the tokenizer, the
network, the decoding loop and the detokenizer in one graph:

    text   -> ids -> start, step, step, ... -> ids -> text, score
    text   -> ids -> logits                 -> label, probabilities
    texts  -> packed ids -> logits          -> label, tags, answer
    images -> resized -> logits             -> label, probabilities

A process that imports only tensorflow and tensorflow_text loads it, passes any
number of texts, and gets the answers of Python. No text is truncated, except
by `truncate` of a `MultiSegmentPacker` or `sequence_length` of a classifier; a
text that is too long for the model is an error. An export that fails leaves
the old one as it was. From the command line:

    python -m keras_seq.export show PATH
    python -m keras_seq.export run PATH --text "Are you free tomorrow?"

Shapes: B texts, S source ids, L generated ids, W beams, C classes.
"""

from keras_seq.export.classifiers import export_text_classifier
from keras_seq.export.command import main
from keras_seq.export.images import export_image_classifier, run_images_alone
from keras_seq.export.onnx_files import (
    export_onnx,
    export_onnx_decoder,
    write_onnx,
)
from keras_seq.export.reading import run, run_alone, show
from keras_seq.export.tasks import (
    export_bert_classifier,
    export_bert_span_qa,
    export_bert_tagger,
)
from keras_seq.export.text_models import export_text_model

__all__ = [
    "export_bert_classifier",
    "export_bert_span_qa",
    "export_bert_tagger",
    "export_image_classifier",
    "export_onnx",
    "export_onnx_decoder",
    "export_text_classifier",
    "export_text_model",
    "main",
    "run",
    "run_alone",
    "run_images_alone",
    "show",
    "write_onnx",
]
