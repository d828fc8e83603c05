"""GPT and BERT with what the page shows, and GPT's causal mask and positions
as inputs, so that a reader can switch them off.

Shapes: B batch, T length, H heads, K width of a head, V vocabulary.
"""

import keras
from keras import ops

from keras_seq.models import GPT

IDS = keras.InputSpec(shape=(None, None), dtype="int32")
NUMBER = keras.InputSpec(shape=(1,), dtype="float32")


def of(model):
    """Return the function of a GPT or a BERT for the page, and its inputs."""
    if isinstance(model, GPT):
        signature = {"ids": IDS, "causal": NUMBER, "positions": NUMBER}
        return lambda inputs: gpt(model, **inputs), signature
    return lambda inputs: bert(model, inputs["ids"]), {"ids": IDS}


def gpt(model, ids, causal, positions):
    """Run a GPT, and return queries, keys and weights of every block.

    Args:
        model: `GPT`.
        ids: int (B, T).
        causal: float (1,), 1 to apply the causal mask, 0 to do without.
        positions: float (1,), 1 to add the position embedding, 0 to leave it
            out.
    Returns:
        dict of `logits`, float (B, T, V), and for each block `query_0` and
        `key_0`, float (B, T, H, K), and `attention_0`, float (B, H, T, T).
    """
    x = model.token_embedding(ids)
    x = x + positions * model.position_embedding(x)
    t = ops.arange(ops.shape(ids)[1])
    mask = ops.logical_or(t[:, None] >= t, causal[0] < 0.5)  # (T, T)
    x, found = blocks(model.blocks, x, mask)
    return {
        "logits": model.token_embedding.logits(model.layer_norm(x)),
        **found,
    }


def blocks(layers, x, mask):
    """Run blocks; return the last vectors, and what each computes."""
    found = {}
    for n, block in enumerate(layers):
        h = block.attention_residual.normalize_input(x)
        query, key, _ = block.self_attention.project(h)
        x, weights = block(x, attention_mask=mask, return_attention_scores=True)
        found |= {f"query_{n}": query, f"key_{n}": key}
        found[f"attention_{n}"] = weights
    return x, found


def bert(model, ids):
    """Run a BERT: logits of every token, and the attention weights."""
    inputs = {"token_ids": ids, "segment_ids": ops.zeros_like(ids)}
    outputs, weights = model.bert(inputs, return_attention_scores=True)
    logits = model.masked_lm_head(outputs["sequence_output"])
    found = {f"attention_{n}": value for n, value in enumerate(weights)}
    return {"logits": logits, **found}
