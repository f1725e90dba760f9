"""Torch's fused attention: told that a mask is causal where it is, and there alone."""

import pytest
import torch
from helpers.networks import signed
from torch.utils._python_dispatch import TorchDispatchMode

from relprop.program.attention import plain_attention
from relprop.support import fused_attention as fused
from relprop.support.fused_attention import AttentionArguments, fused_attention

LENGTH = 4
SEEN = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()


def added(seen, hidden):
    return torch.zeros(seen.shape, dtype=torch.float64).masked_fill(~seen, hidden)


def changed(mask, at, value):
    mask = mask.clone()
    mask[at] = value
    return mask


LOWEST = torch.finfo(torch.float64).min
CAUSAL = {
    "booleans": SEEN,
    "infinite": added(SEEN, -torch.inf),
    "lowest": added(SEEN, LOWEST),
    "of each sample": added(SEEN, LOWEST).expand(2, 1, LENGTH, LENGTH),
    "of each sample, written out": added(SEEN, LOWEST).repeat(2, 1, 1, 1),
    "of each head": SEEN.repeat(1, 3, 1, 1),
}
OTHER = {
    "an earlier key hidden": changed(SEEN, (2, 1), False),
    "a later key seen": changed(SEEN, (1, 3), True),
    "a first key hidden": changed(SEEN, (slice(1, None), 0), False),
    "all seen": torch.ones_like(SEEN),
    "two later keys seen": torch.ones_like(SEEN).tril(1),
    "a bias": added(SEEN, -torch.inf) + signed(LENGTH, LENGTH, seed=9),
    "a bias of one": changed(added(SEEN, LOWEST), (2, 1), 0.5),
    "not hidden enough": added(SEEN, -3.0),
    "two kinds of hidden": changed(added(SEEN, LOWEST), (1, 2), -3.0),
    "of another sample": torch.stack([SEEN, changed(SEEN, (3, 1), False)])[:, None],
    "of another head": torch.stack([SEEN, SEEN, changed(SEEN, (3, 1), False)])[None],
    "one row": SEEN[-2:-1],
}


class Causal(TorchDispatchMode):
    """Records whether the operation was told that the mask is causal."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if "flash_attention" in str(func):
            at = 7 if "backward" in str(func) else 4
            causal = args[at] if len(args) > at else False  # left out where it is the default
            self.found.add(causal and kwargs.get("attn_mask") is None)
        return func(*args, **kwargs)


@pytest.mark.parametrize("block", [LENGTH - 1, LENGTH], ids=["long", "short"])
@pytest.mark.parametrize("name", [*CAUSAL, *OTHER])
def test_a_causal_mask_is_told_from_any_other(name, block, monkeypatch):
    monkeypatch.setattr(fused, "_BLOCK", block)
    q, k, v, c = (signed(2, 3, LENGTH, 5, seed=seed).requires_grad_() for seed in range(4))
    mask = CAUSAL[name] if name in CAUSAL else OTHER[name]
    expected = plain_attention(q, k, v, mask)
    gradients = torch.autograd.grad(expected, (q, k, v), c)
    with torch.no_grad(), Causal() as told:
        result, vjp = fused_attention(AttentionArguments(q, k, v, mask))
        got = vjp(c)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(got, gradients, rtol=1e-12, atol=1e-12)
    assert told.found == {name in CAUSAL and block < LENGTH}


@pytest.mark.parametrize("keys", [LENGTH - 1, LENGTH + 1])
def test_as_many_queries_as_keys(keys, monkeypatch):
    monkeypatch.setattr(fused, "_BLOCK", 1)
    q, k = signed(1, 1, LENGTH, 5), signed(1, 1, keys, 5, seed=1)
    mask = torch.ones(LENGTH, keys, dtype=torch.bool).tril()
    with torch.no_grad(), Causal() as told:
        result, _ = fused_attention(AttentionArguments(q, k, k, mask))
    torch.testing.assert_close(result, plain_attention(q, k, k, mask), rtol=1e-12, atol=1e-12)
    assert told.found == {False}
