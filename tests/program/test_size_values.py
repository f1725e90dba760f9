"""What depends on sizes alone is computed once for each size, not kept where it may change."""

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import relprop


class Counting(TorchDispatchMode):
    """Counts how often each operation runs."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Count one operation."""
        name = function.overloadpacket.__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        return function(*args, **(kwargs or {}))


class Causal(nn.Module):
    """A layer of causal attention on x (batch, length, 8), with positions from arange."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(700, 8)
        self.qkv = nn.Linear(8, 24)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Compute scores, (batch, 3)."""
        at = torch.arange(x.shape[1], device=x.device)
        q, k, v = self.qkv(x + self.positions(at)).chunk(3, -1)
        y = nn.functional.scaled_dot_product_attention(
            q[:, None], k[:, None], v[:, None], at[:, None] >= at
        )
        return self.head(y[:, 0].mean(1))


def count(explainer: relprop.Explainer, x: Tensor, **options) -> int:
    """Count how often positions are computed."""
    with Counting() as mode:
        explainer(x, **options)
    return mode.counts.get("arange", 0)


def made() -> tuple[nn.Module, Tensor]:
    """Make the model, and a batch of three."""
    torch.manual_seed(0)
    return Causal().double().eval(), torch.randn(3, 6, 8, dtype=torch.float64)


def test_positions_and_masks_are_computed_once_for_each_size():
    """A second call computes none; another length does, and the first one is still known."""
    model, x = made()
    explainer = relprop.Explainer(model)
    explainer(x)
    assert count(explainer, x) == 0
    assert count(explainer, x[:2]) == 0
    assert count(explainer, x[:, :4]) > 0  # captured with an open length
    explainer(x[:, :5])
    assert count(explainer, x[:, :4]) == count(explainer, x[:, :5]) == 0


def test_relevance_is_the_same_with_and_without_what_is_known():
    """Also after the weights have changed, of a part of the batch, and with recompute."""
    model, x = made()
    explainer = relprop.Explainer(model)
    for _ in range(2):
        explainer(x)
        with torch.no_grad():
            model.positions.weight.mul_(1.5)
        for length in (6, 4, 5):
            part = x[:2, :length]
            expected = relprop.Explainer(model)(part, ledger=True)
            assert abs(expected.ledger.error) < 1e-9
            for options in ({}, {"recompute": True}, {"ledger": True}):
                torch.testing.assert_close(explainer(part, **options).relevance, expected.relevance)


def test_large_masks_are_not_kept():
    """A mask of 700 x 700 would stay in memory for each length."""
    model, x = made()
    long = x.repeat(1, 120, 1)[:, :700]
    explainer = relprop.Explainer(model)
    explainer(long)
    assert count(explainer, long) > 0
