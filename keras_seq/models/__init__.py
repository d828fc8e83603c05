"""Models: one file per model, each written out from embedding to logits."""

from keras_seq.models.bahdanau import BahdanauSeq2Seq
from keras_seq.models.bert import BERT
from keras_seq.models.bert_pretraining import (
    BERTPretrainer,
    MaskedLMHead,
    NextSentenceHead,
)
from keras_seq.models.bert_task import BERTTask
from keras_seq.models.bert_tasks import (
    BERTClassifier,
    BERTSpanQA,
    BERTTagger,
    best_span,
)
from keras_seq.models.gpt import GPT
from keras_seq.models.image_captioner import ImageCaptioner
from keras_seq.models.language_model import RecurrentLM
from keras_seq.models.luong import LuongSeq2Seq
from keras_seq.models.resnet import ResNet
from keras_seq.models.scheduled_sampling import ScheduledSampling
from keras_seq.models.seq2seq import Seq2Seq
from keras_seq.models.seq2seq_decoder import Seq2SeqDecoder
from keras_seq.models.seq2seq_encoder import Seq2SeqEncoder
from keras_seq.models.transformer import Transformer
from keras_seq.models.vit import ViT

__all__ = [
    "BERT",
    "GPT",
    "BERTClassifier",
    "BERTPretrainer",
    "BERTSpanQA",
    "BERTTagger",
    "BERTTask",
    "BahdanauSeq2Seq",
    "ImageCaptioner",
    "LuongSeq2Seq",
    "MaskedLMHead",
    "NextSentenceHead",
    "RecurrentLM",
    "ResNet",
    "ScheduledSampling",
    "Seq2Seq",
    "Seq2SeqDecoder",
    "Seq2SeqEncoder",
    "Transformer",
    "ViT",
    "best_span",
]
