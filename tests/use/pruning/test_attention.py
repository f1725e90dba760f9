"""Some heads of an attention: against the whole one, whose other heads join nothing."""

import copy

import pytest
import torch
from torch import nn

from relprop.use.pruning.attention import HeadAttention


def attention(**options):
    torch.manual_seed(0)
    whole = nn.MultiheadAttention(12, 4, **options).double().eval()
    with torch.no_grad():
        for bias in (whole.in_proj_bias, whole.out_proj.bias):
            if bias is not None:
                bias.normal_()
    return whole


def without(whole, heads):
    """Zero what some heads give to the layer that joins all."""
    other = copy.deepcopy(whole)
    with torch.no_grad():
        for head in heads:
            other.out_proj.weight[:, 3 * head : 3 * head + 3] = 0
    return other


CAUSAL = torch.ones(5, 5, dtype=torch.bool).triu(1)
PADDING = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
NUMBERS = torch.randn(8, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
MASKS = {
    "none": {},
    "causal": {"attn_mask": CAUSAL, "is_causal": True},
    "padding": {"key_padding_mask": PADDING},
    "both": {"attn_mask": CAUSAL, "key_padding_mask": PADDING},
    "of each head": {"attn_mask": NUMBERS},
}


@pytest.mark.parametrize("needs", [True, False])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize(
    "options", [{"batch_first": True}, {"bias": False}, {"kdim": 7, "vdim": 5}]
)
def test_it_is_the_attention_whose_other_heads_join_nothing(options, masks, needs):
    whole = attention(**options)
    first = options.get("batch_first", False)
    sizes = (12, options.get("kdim", 12), options.get("vdim", 12))
    inputs = [torch.randn(*((2, 5) if first else (5, 2)), size).double() for size in sizes]
    smaller = HeadAttention(whole, (1, 3))
    expected, _ = without(whole, (0, 2))(*inputs, **MASKS[masks])
    given, _ = smaller(*inputs, **MASKS[masks], need_weights=needs)
    assert (given - expected).abs().max() < 1e-12
    rows = sum(p.numel() for p in (smaller.q_proj.weight, smaller.k_proj.weight))
    assert rows == 6 * (12 + options.get("kdim", 12))


def test_its_weights_are_those_of_its_heads():
    whole, x = attention(batch_first=True), torch.randn(2, 5, 12).double()
    _, expected = whole(x, x, x, average_attn_weights=False)
    smaller = HeadAttention(whole, (1, 3))
    _, given = smaller(x, x, x, average_attn_weights=False)
    assert (given - expected[:, [1, 3]]).abs().max() < 1e-12
    assert (smaller(x, x, x)[1] - expected[:, [1, 3]].mean(1)).abs().max() < 1e-12


def test_its_numbers_are_copies_as_trainable_as_they_were():
    whole = attention()
    whole.out_proj.weight.requires_grad_(False)
    smaller = HeadAttention(whole, (0,))
    assert not smaller.out_proj.weight.requires_grad
    assert smaller.q_proj.weight.requires_grad
    with torch.no_grad():
        smaller.v_proj.weight.zero_()
    assert (whole.in_proj_weight != 0).all()
