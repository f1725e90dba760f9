"""Torch's own scaled dot-product attention on CPUs, forward and backward, without autograd.

Recording one operation at a time for autograd costs more than a small one takes. The operations are
those that `torch.nn.functional.scaled_dot_product_attention` and its derivative run, so results are
the same to the last bit. Holds names that torch does not document, as `torch_private` does.

query, result (batch, heads, L, E)   key, value (batch, heads, S, E)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Gradients = tuple[Tensor, Tensor, Tensor]

FUSED_OPERATIONS = (
    "_scaled_dot_product_flash_attention_for_cpu.default",
    "_scaled_dot_product_flash_attention_for_cpu_backward.default",
)
"""Operations of torch.ops.aten that this file calls."""

_FUSED = 1  # what torch's choice of an implementation calls this one


_BLOCK = 512
"""Torch's operation skips hidden keys by blocks of so many, if it is told that a mask is causal."""


class AttentionArguments(NamedTuple):
    """The arguments of torch's `scaled_dot_product_attention`, in its order."""

    query: Tensor
    key: Tensor
    value: Tensor
    attn_mask: Tensor | None = None
    dropout_p: float = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False


def added_mask(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what a mask adds to scores: -inf where a boolean one is False, any other itself."""
    if mask.dtype is not torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -torch.inf)


def fused_attention(
    given: AttentionArguments,
) -> tuple[Tensor, Callable[[Tensor], Gradients]] | None:
    """Compute attention, and its derivative by query, key and value.

    Returns:
        The result, and the function c -> J^T c. None where torch would run another implementation:
        on other devices, under autocast, with dropout, and for some shapes.
    """
    query, key, value, mask, dropout, causal, scale, grouped = given
    cpu = query.device.type == "cpu" and query.dim() == 4
    if dropout or not cpu or torch.is_autocast_enabled("cpu"):
        return None
    choice = torch._fused_sdp_choice(
        query, key, value, mask, 0.0, causal, scale=scale, enable_gqa=grouped
    )
    if choice != _FUSED:
        return None
    if mask is not None and _is_causal(query, mask):
        mask, causal = None, True
    mask = None if mask is None else added_mask(mask, query.dtype)
    aten = torch.ops.aten
    result, total = aten._scaled_dot_product_flash_attention_for_cpu.default(
        query, key, value, 0.0, causal, attn_mask=mask, scale=scale
    )

    def vjp(c: Tensor) -> Gradients:
        gradients: Gradients = aten._scaled_dot_product_flash_attention_for_cpu_backward.default(
            c, query, key, value, result, total, 0.0, causal, attn_mask=mask, scale=scale
        )
        return gradients

    return result, vjp


def _is_causal(query: Tensor, mask: Tensor) -> bool:
    """Tell whether a mask hides later keys from each query, and nothing else.

    Transformers build such masks from the positions and the padding of a batch: without padding,
    half of the work is for keys that are hidden. Always False for lengths that save nothing.
    """
    length = query.shape[-2]
    if length <= _BLOCK or mask.shape[-2:] != (length, length):
        return False
    for dim, stride in enumerate(mask.stride()[:-2]):
        if stride == 0:  # the same all along
            mask = mask.narrow(dim, 0, 1)
    hidden = mask[(0,) * (mask.dim() - 2)][0, -1]
    if mask.dtype is torch.bool:
        seen = torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
        return torch.equal(mask, seen.expand_as(mask))
    if mask.dtype != query.dtype or hidden > torch.finfo(mask.dtype).min:
        return False
    return torch.equal(mask, hidden.expand(length, length).triu(1).expand_as(mask))
