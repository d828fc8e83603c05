"""Task: a model and its tokenizer in one object that works on strings.

A model of this library reads ids and gives logits. A task holds the model
together with the tokenizer it was trained with, so that strings go in and
strings come out:

    task.fit(texts, labels)      # tokenizes, then trains the model
    task.predict(texts)          # or task.generate(texts)
    task.save("task.keras")      # weights and vocabulary
    task.export("folder")        # a SavedModel that takes strings;
                                 # a `MaskedLM` has none

A task only combines the tokenizers of `keras_seq.text`, the losses of
`keras_seq.training`, `keras_seq.generation` and `keras_seq.export`.

Shapes: N texts, B batch, T length, C classes.
"""

import keras

from keras_seq import checks
from keras_seq.generation.prompts import vocabulary_size
from keras_seq.text import MultiSegmentPacker
from keras_seq.text.tokenizer import check_tokenizer


class Task(keras.layers.Layer):
    """Hold a model and its tokenizer; base class of all tasks.

    A subclass implements `default_loss()` and `prepare(x, y)`, which turns
    the strings of `fit` and `evaluate` into arrays; or its own `fit`.

    Args:
        model: `keras.Model` that reads ids.
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
    Raises:
        ValueError: if `model` is not a `keras.Model`, or `tokenizer` not a
            `Tokenizer`.
    """

    def __init__(self, model, tokenizer, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(model, keras.Model):
            raise ValueError(
                f"`model` must be a keras.Model. Received model={model!r}."
            )
        check_tokenizer(tokenizer)
        check_vocabulary(model, tokenizer)
        self.model = model
        self.tokenizer = tokenizer
        self.built = True  # the task has no weights of its own

    def call(self, inputs, training=False):
        return self.model(inputs, training=training)

    def compile(self, optimizer=None, loss=None, **options):
        """Configure the training of the model.

        Args:
            optimizer: optional name or optimizer. Default: AdamW with a
                learning rate of 1e-3 and gradients clipped to norm 1, for a
                model that is trained from scratch. Fine-tuning a published
                checkpoint needs a smaller rate, such as 5e-5.
            loss: optional loss function. Default: the loss of the task.
            options: further arguments of `keras.Model.compile`, such as
                `metrics`.
        """
        if optimizer is None:
            optimizer = keras.optimizers.AdamW(1e-3, global_clipnorm=1.0)
        if loss is None:
            loss = self.default_loss()
        self.model.compile(optimizer, loss, **options)

    def fit(self, x, y=None, *, validation_data=None, **options):
        """Train the model on strings.

        Args:
            x: the texts, as `prepare` of the task takes them.
            y: the labels, likewise.
            validation_data: optional tuple of texts and labels, or texts.
            options: further arguments of `keras.Model.fit`, such as
                `epochs` and `batch_size`.
        Returns:
            `keras.callbacks.History`.
        """
        if not self.model.compiled:
            self.compile()
        if validation_data is not None:
            if not isinstance(validation_data, tuple):
                validation_data = (validation_data,)
            validation_data = self.prepare(*validation_data)
        inputs, labels = self.prepare(x, y)
        return self.model.fit(
            inputs, labels, validation_data=validation_data, **options
        )

    def evaluate(self, x, y=None, **options):
        """Compute the loss and the metrics on strings.

        Args:
            x, y: as for `fit`.
            options: further arguments of `keras.Model.evaluate`.
        Returns:
            scalar, list or dict, as `keras.Model.evaluate`.
        """
        if not self.model.compiled:
            self.compile()
        inputs, labels = self.prepare(x, y)
        return self.model.evaluate(inputs, labels, **options)

    def save(self, path):
        """Save weights, configuration and vocabulary in one file.

        `keras.models.load_model(path)` loads the task again.

        Args:
            path: str or Path that ends in ".keras".
        Raises:
            ValueError: if the model is not built.
        """
        checks.built(self.model)
        keras.saving.save_model(self, path)

    def prepare(self, x, y):
        """Turn texts and labels into arrays for `keras.Model.fit`."""
        raise NotImplementedError

    def default_loss(self):
        """Create the loss that `compile` uses by default."""
        raise NotImplementedError

    def get_config(self):
        model = keras.saving.serialize_keras_object(self.model)
        tokenizer = keras.saving.serialize_keras_object(self.tokenizer)
        return {**super().get_config(), "model": model, "tokenizer": tokenizer}

    @classmethod
    def from_config(cls, config):
        objects = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("model", "tokenizer", "source_tokenizer")
            if name in config
        }
        return cls(**{**config, **objects})


class PackedTask(Task):
    """Hold a BERT with a head, whose inputs are packed texts.

    Args:
        model: `BERTTask`, or another model that reads token ids.
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
        sequence_length: optional int > 2, the length to which every row is
            padded or truncated. Default: that of the longest row.
    Raises:
        ValueError: if an argument is of another type or out of range.
    """

    truncate = "longest_first"

    def __init__(self, model, tokenizer, sequence_length=None, **kwargs):
        super().__init__(model, tokenizer, **kwargs)
        if sequence_length is not None:
            checks.positive_int(sequence_length=sequence_length)
            if sequence_length < 3:
                raise ValueError(
                    "`sequence_length` must be at least 3, a token between "
                    f"two special ones. Received {sequence_length}."
                )
        self.sequence_length = sequence_length

    def packer(self):
        """Create the packer of one text or two."""
        truncate = None if self.sequence_length is None else self.truncate
        return MultiSegmentPacker(
            self.tokenizer, self.sequence_length, truncate=truncate
        )

    def get_config(self):
        own = {"sequence_length": self.sequence_length}
        return {**super().get_config(), **own}


def check_vocabulary(model, tokenizer):
    """Raise a ValueError if the model lacks an id of the tokenizer.

    For a BERT with a head, the padding must be the tokenizer's too.

    Args:
        model: `keras.Model`.
        tokenizer: `Tokenizer`.
    """
    encoder = getattr(model, "bert", model)
    size = vocabulary_size(encoder, "source_vocabulary_size")
    if size is not None and tokenizer.vocabulary_size() > size:
        raise ValueError(
            "`tokenizer` must not have more ids than the model. Received "
            f"{tokenizer.vocabulary_size()} ids and a model of {size}."
        )
    if encoder is not model and encoder.pad_id != tokenizer.pad_id:
        raise ValueError(
            "`tokenizer` must have the `pad_id` of the model. Received "
            f"{tokenizer.pad_id}, and {encoder.pad_id} in the model."
        )


def text_list(**argument):
    """Return several texts as a list; raise a ValueError for anything else."""
    texts = checks.strings(**argument)
    if not texts:
        [name] = argument
        raise ValueError(f"`{name}` must hold at least one text. Received [].")
    return texts
