"""The tensors of BERT, paired with our weights for loading and saving.

    published                                    ours
    attention.self.query.weight    (D, D)        query_dense        (D, H, K)
    attention.output.dense.weight  (D, D)        output_dense       (H, K, D)
    intermediate.dense.weight      (F, D)        intermediate_dense (D, F)
    word_embeddings.weight         (V, D)        token_embedding    (V, D)

Shapes: V vocabulary, P positions, G segments, D width, H heads, K head width,
    F inner width of the feed-forward networks.
"""

from keras_seq.models.bert import BERT
from keras_seq.models.bert_pretraining import BERTPretrainer
from keras_seq.models.bert_tasks import BERTSpanQA
from keras_seq.pretrained.weights import (
    Weight,
    attention_weights,
    dense_weights,
    feed_forward_weights,
    norm_weights,
)


def bert_weights(bert, pooler=True):
    """Yield each `Weight` of a `BERT`, with or without its pooler."""
    config, D = bert.config, bert.config["hidden_dim"]
    for name, layer, rows in (
        ("word", bert.token_embedding, config["vocabulary_size"]),
        ("position", bert.position_embedding, config["max_sequence_length"]),
        ("token_type", bert.segment_embedding, config["num_segments"]),
    ):
        name = f"embeddings.{name}_embeddings.weight"
        yield Weight(name, layer.embeddings, (rows, D))
    yield from norm_weights("embeddings.LayerNorm", bert.layer_norm, D)
    for i, block in enumerate(bert.blocks):
        yield from block_weights(f"encoder.layer.{i}.", block, D)
    if pooler and bert.pooler is not None:
        yield from dense_weights("pooler.dense", bert.pooler, D, D)


def block_weights(prefix, block, D):
    """Yield each `Weight` of a block of BERT."""
    names = (f"self.{name}" for name in ("query", "key", "value"))
    yield from attention_weights(
        f"{prefix}attention.", names, block.self_attention, D
    )
    yield from feed_forward_weights(prefix, block, D)
    first, second = block.attention_residual, block.feed_forward_residual
    name = f"{prefix}attention.output.LayerNorm"
    yield from norm_weights(name, first.norm, D)
    yield from norm_weights(f"{prefix}output.LayerNorm", second.norm, D)


def head_weights(model):
    """Yield each `Weight` of the head of a task; a `BERT` alone has none."""
    if isinstance(model, BERT):
        return
    D, V = (
        model.bert.config[name] for name in ("hidden_dim", "vocabulary_size")
    )
    if isinstance(model, BERTPretrainer):
        head, prefix = model.masked_lm_head, "cls.predictions."
        dense = head.intermediate_dense
        yield from dense_weights(f"{prefix}transform.dense", dense, D, D)
        name = f"{prefix}transform.LayerNorm"
        yield from norm_weights(name, head.layer_norm, D)
        yield Weight(f"{prefix}bias", head.bias, (V,))
        if model.next_sentence:
            dense = model.next_sentence_head
            yield from dense_weights("cls.seq_relationship", dense, 2, D)
    else:
        name = "qa_outputs" if isinstance(model, BERTSpanQA) else "classifier"
        yield from dense_weights(name, model.head, model.head.units, D)
