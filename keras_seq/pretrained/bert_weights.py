"""BERT's tensors: one table pairs them with our weights, for both ways.

Their kernels are (out, in), the transpose of ours, and the heads stand side
by side where ours have an axis of their own:

    theirs                                      ours
    attention.self.query.weight    (D, D)       query_dense  (D, H, K)
    attention.output.dense.weight  (D, D)       output_dense (H, K, D)
    intermediate.dense.weight      (F, D)       intermediate_dense (D, F)
    word_embeddings.weight         (V, D)       embedding          (V, D)

Shapes: V vocabulary, P positions, G segments, D width, H heads, K head width,
    F inner width.
"""

from keras_seq.models.bert import BERT
from keras_seq.models.bert_pretraining import BERTPretrainer
from keras_seq.models.bert_tasks import BERTSpanQA
from keras_seq.pretrained.weights import Weight, dense, looks, norm


def bert_weights(bert, pooler=True):
    """Give each `Weight` of a `BERT`; `pooler` says whether of that, too."""
    V, D, P, G = (
        bert.config[name]
        for name in ("vocabulary_size", "units", "max_length", "num_segments")
    )
    for name, layer, rows in (
        ("word", bert.embedding, V),
        ("position", bert.position_embedding, P),
        ("token_type", bert.segments, G),
    ):
        name = f"embeddings.{name}_embeddings.weight"
        yield Weight(name, layer.embeddings, (rows, D))
    yield from norm("embeddings.LayerNorm", bert.norm, D)
    for i, block in enumerate(bert.blocks):
        at, attention = f"encoder.layer.{i}.", block.self_attention
        names = (f"self.{name}" for name in ("query", "key", "value"))
        yield from looks(f"{at}attention.", names, attention, D)
        inner = block.feed_forward.intermediate_dense
        outer = block.feed_forward.output_dense
        yield from dense(f"{at}intermediate.dense", inner, inner.units, D)
        yield from dense(f"{at}output.dense", outer, D, inner.units)
        first, second = block.attention_residual, block.feed_forward_residual
        yield from norm(f"{at}attention.output.LayerNorm", first.norm, D)
        yield from norm(f"{at}output.LayerNorm", second.norm, D)
    if pooler and bert.pooler is not None:
        yield from dense("pooler.dense", bert.pooler, D, D)


def head_weights(model):
    """Give each `Weight` of what stands on a `BERT`, which has none alone."""
    if isinstance(model, BERT):
        return
    D, V = (model.bert.config[name] for name in ("units", "vocabulary_size"))
    if isinstance(model, BERTPretrainer):
        at = "cls.predictions."
        yield from dense(f"{at}transform.dense", model.transform, D, D)
        yield from norm(f"{at}transform.LayerNorm", model.norm, D)
        yield Weight(f"{at}bias", model.bias, (V,))
        if model.next_sentence:
            yield from dense("cls.seq_relationship", model.next, 2, D)
    else:
        name = "qa_outputs" if isinstance(model, BERTSpanQA) else "classifier"
        yield from dense(name, model.head, model.head.units, D)
