"""Attention of some heads: what an `nn.MultiheadAttention` computes with the others taken out.

`nn.MultiheadAttention` divides its own width by heads, so that fewer heads of the same size ask for
another module. Takes one and the places of heads. Must not know why these stay.

n  samples      l, s  lengths of queries and keys      h  heads      d  width of a head
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, scaled_dot_product_attention


class HeadAttention(nn.Module):
    """Some heads of an `nn.MultiheadAttention`, which is called as that is.

    Args:
        whole: The attention. It is not changed.
        heads: Places of the heads that stay, ascending; one at least.

    Attributes:
        num_heads: How many there are.
        head_dim: Width of each.
        q_proj, k_proj, v_proj: Linear layers that make queries, keys and values, (h d) each.
        out_proj: The layer that joins the heads.
    """

    # torch's transformer layers read these, to choose a path of their own for nn.MultiheadAttention
    in_proj_weight = None
    in_proj_bias = None
    _qkv_same_embed_dim = False

    def __init__(self, whole: nn.MultiheadAttention, heads: Sequence[int]) -> None:
        super().__init__()
        self.embed_dim, self.head_dim = whole.embed_dim, whole.head_dim
        self.num_heads, self.batch_first = len(heads), whole.batch_first
        self.dropout = whole.dropout
        self._before, self._kept = whole.num_heads, tuple(heads)
        rows = head_rows(heads, self.head_dim)
        self.q_proj, self.k_proj, self.v_proj = (
            linear(weight[rows], None if bias is None else bias[rows])
            for weight, bias in _projections(whole)
        )
        self.out_proj: nn.Module = linear(whole.out_proj.weight[:, rows], whole.out_proj.bias)
        self.train(whole.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend: softmax(q k^T / sqrt(d) + mask) v of each head, joined by `out_proj`.

        Args:
            query: (n, l, width), or (l, n, width) without `batch_first`; the others alike.
            key: (n, s, width).
            value: (n, s, width).
            key_padding_mask: (n, s), True or -inf at keys that nothing attends to.
            need_weights: Whether weights are returned.
            attn_mask: (l, s) or (n heads, l, s) for the heads of the whole attention.
            average_attn_weights: Whether they are the mean over heads.
            is_causal: As `nn.MultiheadAttention` has it: a hint beside `attn_mask`, not read.

        Returns:
            Outputs of the shape of queries; weights (n, l, s) or (n, h, l, s), or None.
        """
        if not self.batch_first:
            query, key, value = (one.transpose(0, 1) for one in (query, key, value))
        q, k, v = (  # (n, h, l, d)
            project(one).reshape(*one.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)
            for project, one in zip(
                (self.q_proj, self.k_proj, self.v_proj), (query, key, value), strict=True
            )
        )
        mask = self._mask(attn_mask, key_padding_mask, q)
        rate = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            logits = q @ k.transpose(2, 3) * self.head_dim**-0.5
            weights = dropout((logits if mask is None else logits + mask).softmax(3), rate)
            mixed = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed = scaled_dot_product_attention(q, k, v, mask, rate)
        joined = self.out_proj(mixed.transpose(1, 2).flatten(2))  # (n, l, width)
        return (joined if self.batch_first else joined.transpose(0, 1)), weights

    def _mask(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, q: Tensor
    ) -> Tensor | None:
        """Add up the masks, as numbers that are added to logits, (n or 1, h or 1, l or 1, s)."""
        masks = list[Tensor]()
        if attn_mask is not None:
            one = _as_numbers(attn_mask, q)
            if one.ndim == 3:
                one = one.reshape(-1, self._before, *one.shape[1:])[:, list(self._kept)]
            masks.append(one)
        if key_padding_mask is not None:
            masks.append(_as_numbers(key_padding_mask, q)[:, None, None])
        return sum(masks[1:], start=masks[0]) if masks else None


def head_rows(heads: Sequence[int], width: int) -> Tensor:
    """Return the places of heads among all units, (heads width,).

    Args:
        heads: Places of heads.
        width: Units of a head.
    """
    return (torch.tensor(list(heads))[:, None] * width + torch.arange(width)).flatten()


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Make a linear layer of copies of its numbers, (outputs, inputs) and (outputs,)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    layer.weight = _copied(weight)
    if bias is not None:
        layer.bias = _copied(bias)
    return layer


def _copied(numbers: Tensor) -> nn.Parameter:
    return nn.Parameter(numbers.detach().clone(), requires_grad=numbers.requires_grad)


def _projections(whole: nn.MultiheadAttention) -> list[tuple[Tensor, Tensor | None]]:
    """Return weights and biases that make queries, keys and values."""
    if whole.in_proj_weight is not None:
        weights = whole.in_proj_weight.chunk(3)
    else:  # where keys or values have another width
        weights = (whole.q_proj_weight, whole.k_proj_weight, whole.v_proj_weight)
    biases = (None,) * 3 if whole.in_proj_bias is None else whole.in_proj_bias.chunk(3)
    return list(zip(weights, biases, strict=True))


def _as_numbers(mask: Tensor, like: Tensor) -> Tensor:
    """Return a mask as it is added: -inf where a boolean one is True."""
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, float("-inf"))
    return mask.to(like.dtype)
