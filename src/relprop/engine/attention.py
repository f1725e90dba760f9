"""Scaled dot-product attention out of its parts, and its way back to values alone.

query (batch, heads, L, E)   key (batch, heads, S, E)   value, result (batch, heads, S or L, V)
weights (batch, heads, L, S): what part of its result each query takes from each key's value
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .factors import added

_AT_ONCE = 2**20  # weights: as many as a CPU's cache holds


def plain_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The result: weights times values."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    return _weights(query, key, attn_mask, is_causal, scale) @ value


def _weights(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """What part of its result each query takes from each key's value."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is None:
        return scores.softmax(-1)
    may_look = mask.dtype is torch.bool
    scores = scores.masked_fill(~mask, -torch.inf) if may_look else scores + mask
    nothing = (scores == -torch.inf).all(-1, keepdim=True)  # a query that may look at no key
    return scores.masked_fill(nothing, 0.0).softmax(-1).masked_fill(nothing, 0.0)


def values_alone(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Callable[[Tensor], tuple[Tensor]] | None:
    """The function from c to P^T c, for weights P: two matrix products, where torch takes five.

    None where torch's own derivative is as fast, as with a mask, or was not compared: on other
    devices than CPUs, and in other precisions.
    """
    lowered = torch.is_autocast_enabled(query.device.type) or query.dtype.itemsize < 4
    shaped = query.ndim == key.ndim == value.ndim == 4 and len(query) == len(key) == len(value)
    if attn_mask is not None or is_causal or lowered or not shaped or query.device.type != "cpu":
        return None
    shape, length = value.shape, key.shape[-2]
    times = query.shape[1] // key.shape[1] if enable_gqa else 1

    def part(c: Tensor, samples: slice, rows: slice) -> Tensor:
        """What queries of some samples give to all values, for each head of the queries."""
        k = key[samples].repeat_interleave(times, 1) if times > 1 else key[samples]
        weights = _weights(query[samples, :, rows], k, scale=scale)
        return weights.transpose(-2, -1) @ c[samples, :, rows]

    def pull(c: Tensor) -> tuple[Tensor]:
        batch, heads, queries, _ = c.shape
        count = max(1, _AT_ONCE // (heads * queries * length))
        # of one sample, no fewer than take the memory of its keys
        rows = max(query.shape[-1], _AT_ONCE // (heads * length))
        found = list[Tensor]()
        for samples in (slice(i, i + count) for i in range(0, batch, count)):
            first, *others = (slice(i, i + rows) for i in range(0, queries, rows))
            total = part(c, samples, first)
            for some in others:
                total = added(total, part(c, samples, some))
            found.append(total)
        given = torch.cat(found) if len(found) > 1 else found[0]
        if times > 1:
            given = given.reshape(batch, -1, times, *given.shape[2:]).sum(2)
        return (given.sum_to_size(shape),)

    return pull
