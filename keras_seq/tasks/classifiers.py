"""Tasks that classify: a text or a pair of texts, and each word of a text.

Shapes: N texts, B batch, T length, C classes.
"""

import keras
import numpy as np

from keras_seq import checks
from keras_seq.export import (
    export_bert_classifier,
    export_bert_tagger,
    export_text_classifier,
)
from keras_seq.export.classifiers import output_activation
from keras_seq.export.validation import check_labels
from keras_seq.models import BERTClassifier, BERTTagger
from keras_seq.tasks.task import PackedTask, text_list
from keras_seq.text import align_tags, word_tags
from keras_seq.training import TokenCrossEntropy

IGNORED = -100  # label of a token that does not begin a word


class LabelTask(PackedTask):
    """Hold the names of the classes.

    Args:
        model: `keras.Model` of C logits.
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
        labels: list of C str, the names of the classes.
        sequence_length: as of `PackedTask`.
    Raises:
        ValueError: if an argument is of another type, `labels` repeat, or a
            BERT has another number of classes.
    """

    def __init__(
        self, model, tokenizer, labels, sequence_length=None, **kwargs
    ):
        super().__init__(model, tokenizer, sequence_length, **kwargs)
        count = None
        if isinstance(model, (BERTClassifier, BERTTagger)):
            count = (model.head.units,)
        self.labels = check_labels(labels, count)

    def label_ids(self, names):
        """Look up the ids of class names: list of str to list of int."""
        ids = {name: i for i, name in enumerate(self.labels)}
        for name in names:
            if name not in ids:
                raise ValueError(
                    f"`y` must hold names of `labels`, {self.labels}. "
                    f"Received {name!r}."
                )
        return [ids[name] for name in names]

    def get_config(self):
        return {**super().get_config(), "labels": self.labels}


@keras.saving.register_keras_serializable("keras_seq")
class TextClassifier(LabelTask):
    """Classify texts, or pairs of texts.

    Args:
        model: `BERTClassifier`, or any `keras.Model` from ids (B, T) to
            logits (B, C).
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
        labels: list of C str, the names of the classes.
        sequence_length: optional int > 2, the length to which every text is
            padded or truncated. Default: that of the longest text.
    Call arguments:
        inputs: int (B, T), ids; for a `BERTClassifier` a dict of `token_ids`
            and `segment_ids`.
    Returns:
        float (B, C), logits.
    Raises:
        ValueError: if an argument is of another type, or `labels` repeat.
    Example:
        >>> texts, moods = ["good film", "나쁜 영화"], ["good", "bad"]
        >>> tokenizer = CharTokenizer.train(texts)
        >>> bert = BERT(tokenizer.vocabulary_size(), 8, num_heads=2,
        ...             num_layers=1)
        >>> model = BERTClassifier(bert, num_classes=2)
        >>> classifier = TextClassifier(model, tokenizer, ["bad", "good"])
        >>> history = classifier.fit(texts, moods, verbose=0)
        >>> len(classifier.predict(["good"]))
        1
    """

    def check_logits(self):
        """Raise a ValueError for a model that ends in a softmax or sigmoid."""
        activation = output_activation(self.model)
        if activation in ("softmax", "sigmoid"):
            raise ValueError(
                "`model` must return logits, without a final softmax or "
                f"sigmoid. Received a model that ends in {activation!r}."
            )

    def prepare(self, x, y):
        """Turn texts and class names into arrays.

        Args:
            x: list of N str, or a tuple of two lists for pairs of texts.
            y: list of N str, names of `labels`.
        Returns:
            inputs of the model, and int32 (N,).
        """
        self.check_logits()
        inputs = self.tokenize(x)
        labels = np.array(self.label_ids(checks.strings(y=y)), "int32")
        rows = len(keras.tree.flatten(inputs)[0])
        if len(labels) != rows:
            raise ValueError(
                "`y` must hold one label for each text. Received "
                f"{len(labels)} labels and {rows} texts."
            )
        return inputs, labels

    def tokenize(self, x):
        """Turn texts, or a tuple of two lists of texts, into model inputs."""
        pair = x if isinstance(x, tuple) else (x,)
        texts = [text_list(x=each) for each in pair]
        if isinstance(self.model, BERTClassifier):
            return self.packer()(*texts)
        if len(texts) > 1:
            raise ValueError(
                "`x` must be one list of texts: only a BERTClassifier reads "
                f"pairs. Received {len(texts)} lists."
            )
        return self.tokenizer.tokenize(
            texts[0],
            sequence_length=self.sequence_length,
            truncate=self.sequence_length is not None,
        )

    def default_loss(self):
        return TokenCrossEntropy(pad_id=None)

    def predict(self, x, batch_size=32):
        """Predict the most probable class of each text.

        Args:
            x: list of N str, or a tuple of two lists of str for pairs.
            batch_size: int > 0. Default 32.
        Returns:
            list of N str, names of `labels`.
        """
        best = np.argmax(self.predict_probabilities(x, batch_size), axis=-1)
        return [self.labels[i] for i in best]

    def predict_probabilities(self, x, batch_size=32):
        """Predict the probability of each class.

        Args:
            x, batch_size: as for `predict`.
        Returns:
            float32 (N, C), a probability distribution in each row.
        """
        self.check_logits()
        logits = self.model.predict(self.tokenize(x), batch_size, verbose=0)
        check_labels(self.labels, logits.shape[1:])
        p = keras.ops.softmax(keras.ops.cast(logits, "float32"), axis=-1)
        return keras.ops.convert_to_numpy(p)

    def export(self, path, *, pairs=False):
        """Write a SavedModel: `text` to `label` and `probabilities`.

        Args:
            path: str or Path, a folder.
            pairs: bool, read two texts, `text` and `second`. Default False.
        """
        if pairs and not isinstance(self.model, BERTClassifier):
            raise ValueError(
                "`pairs` must be False: only a BERTClassifier reads pairs. "
                "Received pairs=True."
            )
        if isinstance(self.model, BERTClassifier):
            export_bert_classifier(
                self.model,
                path,
                packer=self.packer(),
                labels=self.labels,
                pairs=pairs,
            )
        else:
            export_text_classifier(
                self.model,
                path,
                tokenizer=self.tokenizer,
                labels=self.labels,
                from_logits=True,  # as `predict_probabilities` takes them
                sequence_length=self.sequence_length,
            )


@keras.saving.register_keras_serializable("keras_seq")
class TokenClassifier(LabelTask):
    """Classify each word of a text, as in named entity recognition.

    Args:
        model: `BERTTagger`.
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
        labels: list of C str, the names of the tags.
        sequence_length: optional int > 2, the length to which every text is
            padded or truncated. Default: that of the longest text.
    Call arguments:
        inputs: dict of `token_ids` and `segment_ids`, int (B, T).
    Returns:
        float (B, T, C), logits.
    Raises:
        ValueError: if an argument is of another type, or `labels` repeat.
    Example:
        >>> words, tags = [["born", "in", "1950"]], [["O", "O", "YEAR"]]
        >>> tokenizer = CharTokenizer.train("born in 1950")
        >>> bert = BERT(tokenizer.vocabulary_size(), 8, num_heads=2,
        ...             num_layers=1)
        >>> tagger = TokenClassifier(BERTTagger(bert, 2), tokenizer,
        ...                          ["O", "YEAR"])
        >>> history = tagger.fit(words, tags, verbose=0)
        >>> [len(row) for row in tagger.predict(words)]
        [3]
    """

    def __init__(self, model, tokenizer, labels, **kwargs):
        super().__init__(model, tokenizer, labels, **kwargs)
        if not isinstance(model, BERTTagger):
            raise ValueError(
                f"`model` must be a BERTTagger. Received model={model!r}."
            )

    def prepare(self, x, y):
        """Turn words and their tags into arrays.

        Args:
            x: list of N lists of str, the words of each text.
            y: list of N lists of str, the tag of each word.
        Returns:
            inputs of the model, and int32 (N, T), -100 for tokens that do not
            begin a word.
        """
        tags = [self.label_ids(row) for row in y]
        return align_tags(self.packer(), x, tags, ignore_id=IGNORED)

    def default_loss(self):
        return TokenCrossEntropy(pad_id=IGNORED)

    def predict(self, x, batch_size=32):
        """Predict the tag of each word.

        Args:
            x: list of N lists of str, the words of each text.
            batch_size: int > 0. Default 32.
        Returns:
            list of N lists, for each word the name of its tag, or None where
            the word was truncated.
        """
        packer = self.packer()
        inputs = packer([" ".join(words) for words in x])
        logits = self.model.predict(inputs, batch_size, verbose=0)
        best = np.argmax(logits, axis=-1)
        return [
            [None if i == IGNORED else self.labels[i] for i in row]
            for row in word_tags(packer, x, best, ignore_id=IGNORED)
        ]

    def export(self, path):
        """Write a SavedModel: `text` to `tags`, `pieces`, `starts`, `ends`.

        Args:
            path: str or Path, a folder.
        """
        export_bert_tagger(
            self.model, path, packer=self.packer(), labels=self.labels
        )
