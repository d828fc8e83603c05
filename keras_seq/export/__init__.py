"""Export: a SavedModel that takes text and gives text.

A model of ids is of no use to a server that gets sentences. What is written
here holds the tokenizer, the network, the whole generation loop and the way
back to a string, in one graph:

    text -> ids -> start, step, step, ... -> ids -> text, score
    text -> ids -> logits                 -> label, probabilities
    texts -> packed ids -> logits         -> label, tags, answer
    images -> resized -> logits           -> label, probabilities

It is loaded by a process that imports tensorflow and tensorflow_text alone,
takes any number of texts, and answers as Python does. Only a
`MultiSegmentPacker` with `truncate` truncates a text; one too long for the
model is an error. From the command line:

    python -m keras_seq.export show PATH
    python -m keras_seq.export run PATH --text "Are you free tomorrow?"

Shapes: B texts, S source ids, L generated ids, W beams, C classes.
"""

from keras_seq.export.command import main
from keras_seq.export.images import export_image_classifier, run_images_alone
from keras_seq.export.reading import run, run_alone, show
from keras_seq.export.tasks import (
    export_bert_classifier,
    export_bert_span_qa,
    export_bert_tagger,
)
from keras_seq.export.writing import export_text_classifier, export_text_model

__all__ = [
    "export_bert_classifier",
    "export_bert_span_qa",
    "export_bert_tagger",
    "export_image_classifier",
    "export_text_classifier",
    "export_text_model",
    "main",
    "run",
    "run_alone",
    "run_images_alone",
    "show",
]
