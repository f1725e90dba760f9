"""Scaled dot-product attention out of its parts, and its way back to values alone.

query (batch, heads, L, E)   key (batch, heads, S, E)   value, result (batch, heads, S or L, V)
weights (batch, heads, L, S): what part of its result each query takes from each key's value
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..rules.scaling import added

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
    bias = _bias(query, key, attn_mask, is_causal)
    if bias is None:
        return _weights(query, key, None, scale) @ value
    nothing = _sees_nothing(bias)
    weights = _weights(query, key, bias.masked_fill(nothing, 0.0), scale)
    return (weights @ value).masked_fill(nothing, 0.0)


def _bias(query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor | None:
    """What is added to the scores of queries and keys, of a shape that broadcasts to theirs."""
    if is_causal:
        shape = (query.shape[-2], key.shape[-2])
        mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    if mask is None or mask.dtype is not torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -torch.inf)


def _sees_nothing(bias: Tensor) -> Tensor:
    """Queries that may look at no key (..., L, 1): their result is zero."""
    return (bias == -torch.inf).all(-1, keepdim=True)


def _weights(query: Tensor, key: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """What part of its result each query takes from each key's value."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    return (scores if bias is None else scores + bias).softmax(-1)


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

    None where torch's own derivative was not compared: on other devices than CPUs, below 32 bits,
    and for other shapes than above.
    """
    lowered = torch.is_autocast_enabled(query.device.type) or query.dtype.itemsize < 4
    shaped = query.ndim == key.ndim == value.ndim == 4 and len(query) == len(key) == len(value)
    if lowered or not shaped or query.device.type != "cpu":
        return None
    shape, length = value.shape, key.shape[-2]
    times = query.shape[1] // key.shape[1] if enable_gqa else 1

    def part(c: Tensor, bias: Tensor | None, samples: slice, rows: slice) -> Tensor:
        """What queries of some samples give to all values, for each head of the queries."""
        k = key[samples].repeat_interleave(times, 1) if times > 1 else key[samples]
        some = None if bias is None else bias[samples, :, rows]
        weights = _weights(query[samples, :, rows], k, some, scale)
        return weights.transpose(-2, -1) @ c[samples, :, rows]

    def pull(c: Tensor) -> tuple[Tensor]:
        batch, heads, queries, _ = c.shape
        bias = _bias(query, key, attn_mask, is_causal)
        if bias is not None:
            nothing = _sees_nothing(bias)
            c, bias = c.masked_fill(nothing, 0.0), bias.masked_fill(nothing, 0.0)
            bias = bias.expand(batch, bias.shape[-3] if bias.ndim > 2 else 1, queries, length)
        count = max(1, _AT_ONCE // (heads * queries * length))
        # of one sample, no fewer than take the memory of its keys
        rows = max(query.shape[-1], _AT_ONCE // (heads * length))
        found = list[Tensor]()
        for samples in (slice(i, i + count) for i in range(0, batch, count)):
            first, *others = (slice(i, i + rows) for i in range(0, queries, rows))
            total = part(c, bias, samples, first)
            for some in others:
                total = added(total, part(c, bias, samples, some))
            found.append(total)
        given = torch.cat(found) if len(found) > 1 else found[0]
        if times > 1:
            given = given.reshape(batch, -1, times, *given.shape[2:]).sum(2)
        return (given.sum_to_size(shape),)

    return pull
