"""What a model computes on the way to its logits, as a dict of tensors.

Shapes: B batch, T length, S source length, U units, H heads, V vocabulary.
"""

from keras_seq.models import (
    BERT,
    GPT,
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    RecurrentLM,
    Transformer,
    ViT,
)

WITH_ATTENTION = (BERT, GPT, BahdanauSeq2Seq, LuongSeq2Seq, Transformer, ViT)


def call_internals(model, inputs):
    """Call a model and return its outputs, gates, states and attention.

    Args:
        model: `keras.Model`.
        inputs: what it is called with.
    Returns:
        dict of tensors: see `export_onnx`.
    """
    if isinstance(model, RecurrentLM):
        return _traced(model, inputs)
    if not isinstance(model, WITH_ATTENTION):
        return _outputs(model(inputs))
    outputs, weights = model(inputs, return_attention_scores=True)
    return {**_outputs(outputs), **_attention(weights)}


def _outputs(outputs):
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def _attention(weights):
    """Name attention weights: one tensor, a list, or a dict of lists."""
    if isinstance(weights, dict):
        return {
            f"{part}_attention_{n}": value
            for part, values in weights.items()
            for n, value in enumerate(values)
        }
    if isinstance(weights, (list, tuple)):
        return {f"attention_{n}": value for n, value in enumerate(weights)}
    return {"attention": weights}


def _traced(model, ids):
    """Run the layers of a recurrent language model through `trace`."""
    x, found = model.token_embedding(ids), {}
    mask = model.token_embedding.compute_mask(ids)
    for n, layer in enumerate(model.recurrent_layers):
        values = layer.trace(x, mask=mask)
        found |= {f"layer_{n}.{name}": v for name, v in values.items()}
        x = values["hidden_state"]
    return {"logits": model.logits(x), **found}


def step_internals(model, ids, state):
    """Run one decoding step.

    Args:
        model: a `keras.Model` with `step`.
        ids: int (B,), the newest token of each row.
        state: of the step before.
    Returns:
        dict of `logits` and, of a decoder with attention, `scores`,
        `attention` and `context`; and the new state.
    """
    logits, new = model.step(ids, state)
    found = {"logits": logits}
    if isinstance(model, (BahdanauSeq2Seq, LuongSeq2Seq)):
        # Bahdanau's query is the state before the step, Luong's the new one.
        before = isinstance(model, BahdanauSeq2Seq)
        h = (state if before else new)["cells"][-1][0]
        source, weights = new["source"], new["attention"]
        scores = model.decoder.cell.attention.score(h[:, None], source["keys"])
        context = weights[:, None] @ source["memory"]
        found["scores"], found["context"] = scores[:, 0], context[:, 0]
        found["attention"] = weights
    return found, new
