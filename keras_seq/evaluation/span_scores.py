"""Scores of spans: attention on the right tokens, and F1 of entities.

Shapes: B batch, T target length, S source length.
Paper: entity F1: Tjong Kim Sang & De Meulder (2003), CoNLL-2003,
    arXiv:cs/0306050, section 3.4.
Differs from the paper: tags have no B- and I- prefixes, so two entities of
    one tag without a token between them count as one.
"""

import itertools

import numpy as np


def attention_on_spans(weights, spans):
    """Compute the share of attention that falls on the correct span.

    Args:
        weights: float (B, T, S), attention weights; each row has sum 1, or 0
            where nothing was generated.
        spans: int (B, T, 2), the correct span of each target token,
            source[begin:end]. Rows with an empty span do not count.
    Returns:
        float in [0, 1], the mean over the rows that have a span.
    Raises:
        ValueError: if the shapes do not match, a weight is not finite, a span
            lies outside the source, or every span is empty.
    Example:
        >>> attention_on_spans([[[0.5, 0.25, 0.25]]], [[(0, 2)]])
        0.75
    """
    weights, spans = np.asarray(weights, "float64"), np.asarray(spans)
    if weights.ndim != 3 or spans.shape != (*weights.shape[:2], 2):
        raise ValueError(
            "`spans` must be (B, T, 2) for `weights` (B, T, S). Received "
            f"shapes {spans.shape} and {weights.shape}."
        )
    if not np.isfinite(weights).all():
        raise ValueError(
            "`weights` must be finite. Received some that are not."
        )
    begin, end = spans[..., :1], spans[..., 1:]
    check_inside(spans, weights.shape[-1])
    position = np.arange(weights.shape[-1])
    inside = (position >= begin) & (position < end)
    share = np.sum(weights * inside, axis=-1)
    return float(share[(end > begin)[..., 0]].mean())


def check_inside(spans, length):
    """Raise a ValueError for a span outside the source, or only empty ones."""
    if spans.min() < 0 or spans.max() > length:
        raise ValueError(
            "`spans` must lie in the source. Received some from "
            f"{spans.min()} to {spans.max()}, and {length} tokens."
        )
    if not (spans[..., 1] > spans[..., 0]).any():
        raise ValueError(
            "`spans` must hold at least one span that is not empty. Received "
            "only empty spans."
        )


def entity_f1(references, hypotheses):
    """Compute the F1 of entities: whole runs of tokens with one tag.

    An entity that is one token too long or too short is wrong.

    Args:
        references: int (B, T), true tags; 0 or less marks no entity. Tokens
            whose reference is below 0, as `tag_spans` and `align_tags` return
            it, are removed from both arrays.
        hypotheses: int (B, T), predicted tags.
    Returns:
        float in [0, 1]; 1 if neither has an entity.
    Raises:
        ValueError: if the arrays are not int (B, T) of one shape.
    Example:
        >>> round(entity_f1([[0, 1, 1, 0, 2]], [[0, 1, 0, 0, 2]]), 2)
        0.5
    """
    references, hypotheses = np.asarray(references), np.asarray(hypotheses)
    if references.ndim != 2 or references.shape != hypotheses.shape:
        raise ValueError(
            "`references` and `hypotheses` must be int (B, T) of one shape. "
            f"Received shapes {references.shape} and {hypotheses.shape}."
        )
    for name, tags in (("references", references), ("hypotheses", hypotheses)):
        if tags.size and tags.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must be integers. Received {tags.dtype}."
            )
    counted = references >= 0
    wanted, given = (entities(x, counted) for x in (references, hypotheses))
    total = len(wanted) + len(given)
    return 2 * len(wanted & given) / total if total else 1.0


def entities(tags, counted):
    """Return the entities: a set of (row, first token, last token, tag)."""
    found = set()
    for n, (row, keep) in enumerate(zip(tags, counted)):
        tokens = enumerate(row[keep].tolist())
        for tag, run in itertools.groupby(tokens, lambda x: x[1]):
            positions = [position for position, _ in run]
            if tag > 0:
                found.add((n, positions[0], positions[-1], tag))
    return found
