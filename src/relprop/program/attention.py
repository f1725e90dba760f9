"""Runs scaled dot-product attention so that it can be differentiated; has it in basic operations.

query (batch, heads, L, E)   key (batch, heads, S, E)   value, result (batch, heads, S or L, V)
weights (batch, heads, L, S): the share of each key's value in a query's result
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..graph.ir import Node, Values
from ..rules.autodiff import Traced, trace
from ..rules.own_sum import add_to
from ..support.fused_attention import AttentionArguments, added_mask, fused_attention
from .weight_cache import is_stand_in

_AT_ONCE = 2**20  # weights: as many as a CPU's cache holds


def trace_attention(
    node: Node,
    values: Values,
    function: Callable[..., Tensor],
    x: tuple[Tensor, ...],
    places: tuple[int, ...],
    smooth: Callable[..., Tensor] | None,
) -> Traced:
    """Run attention as `rules.autodiff.trace` does, by the quickest derivative that there is.

    Args:
        node: The operation.
        values: All values by name.
        function: The operation as a function of x.
        x: Those of query, key and value that receive relevance.
        places: Their positions among the operation's arguments.
        smooth: `plain_attention` as a function of x.
    """
    given = AttentionArguments(*node.resolve_args(values), **node.resolve_kwargs(values))
    if is_stand_in(given.query):
        return trace(function, x, places, smooth)
    vjp = values_vjp(given) if places == (2,) else None
    known = places and max(places) <= 2  # none where one value fills several, or the mask depends
    if vjp is None and known and not torch.is_grad_enabled():
        fused = fused_attention(given)
        if fused is not None:
            z, by_all = fused
            by_some = _selecting(by_all, places)
            return Traced(function, smooth or function, x, z, places, by_some)
    return trace(function, x, places, smooth, vjp)


def _selecting(
    vjp: Callable[[Tensor], tuple[Tensor, ...]], places: tuple[int, ...]
) -> Callable[[Tensor], tuple[Tensor, ...]]:
    def by_some(c: Tensor) -> tuple[Tensor, ...]:
        gradients = vjp(c)
        return tuple([gradients[place] for place in places])

    return by_some


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
    """Compute the result: weights times values."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    bias = _bias(query, key, attn_mask, is_causal)
    if bias is None:
        return _weights(query, key, None, scale) @ value
    nothing = _attend_to_nothing(bias)
    weights = _weights(query, key, bias.masked_fill(nothing, 0.0), scale)
    return (weights @ value).masked_fill(nothing, 0.0)


def _bias(query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor | None:
    """Return what is added to the scores; its shape broadcasts to theirs. None if nothing is."""
    if is_causal:
        shape = (query.shape[-2], key.shape[-2])
        mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    return None if mask is None else added_mask(mask, query.dtype)


def _attend_to_nothing(bias: Tensor) -> Tensor:
    """Find the queries that may attend to no key (..., L, 1): their result is zero."""
    return (bias == -torch.inf).all(-1, keepdim=True)


def _weights(query: Tensor, key: Tensor, bias: Tensor | None, scale: float | None) -> Tensor:
    """Compute the attention weights (batch, heads, L, S)."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)
    return (scores if bias is None else scores + bias).softmax(-1)


def values_vjp(given: AttentionArguments) -> Callable[[Tensor], tuple[Tensor]] | None:
    """Build the function from c to P^T c for attention weights P: two products; torch takes five.

    Returns None where it was not compared with torch's own derivative: on other devices than CPUs,
    below 32 bits, and for other shapes than above.
    """
    query, key, value, attn_mask, _, is_causal, scale, enable_gqa = given
    half_precision = torch.is_autocast_enabled(query.device.type) or query.dtype.itemsize < 4
    shaped = query.ndim == key.ndim == value.ndim == 4 and len(query) == len(key) == len(value)
    if half_precision or not shaped or query.device.type != "cpu":
        return None
    shape, length = value.shape, key.shape[-2]
    times = query.shape[1] // key.shape[1] if enable_gqa else 1

    def part(c: Tensor, bias: Tensor | None, samples: slice, rows: slice) -> Tensor:
        """Compute what queries of some samples give to all values, for each head of the queries."""
        k = key[samples].repeat_interleave(times, 1) if times > 1 else key[samples]
        some = None if bias is None else bias[samples, :, rows]
        weights = _weights(query[samples, :, rows], k, some, scale)
        return weights.transpose(-2, -1) @ c[samples, :, rows]

    def pull(c: Tensor) -> tuple[Tensor]:
        batch, heads, queries, _ = c.shape
        bias = _bias(query, key, attn_mask, is_causal)
        if bias is not None:
            nothing = _attend_to_nothing(bias)
            c, bias = c.masked_fill(nothing, 0.0), bias.masked_fill(nothing, 0.0)
            bias = bias.expand(batch, bias.shape[-3] if bias.ndim > 2 else 1, queries, length)
        count = max(1, _AT_ONCE // (heads * queries * length))
        # at least as many rows of one sample as take the memory of its keys
        rows = max(query.shape[-1], _AT_ONCE // (heads * length))
        by_samples = list[Tensor]()
        for samples in (slice(i, i + count) for i in range(0, batch, count)):
            first, *others = (slice(i, i + rows) for i in range(0, queries, rows))
            total = part(c, bias, samples, first)
            for some in others:
                total = add_to(total, part(c, bias, samples, some))
            by_samples.append(total)
        total = torch.cat(by_samples) if len(by_samples) > 1 else by_samples[0]
        if times > 1:
            total = total.reshape(batch, -1, times, *total.shape[2:]).sum(2)
        return (total.sum_to_size(shape),)

    return pull
