"""A net whose keys and values are combined by a function: a softmax, written out in many ways."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from relprop import Explainer

from .close_maps import assert_same
from .networks import randomise, signed

Form = Callable[[Tensor, Tensor], Tensor]
HEADS = (2, 5, 3)  # of the values v: keys are (batch, 2, 5), or (batch, 2, 5, 5) where said
PRESETS = ("attnlrp", "cp-lrp", "epsilon")
KEPT = torch.ones(5, 5, dtype=torch.bool).tril()


class Net(nn.Module):
    """Keys and values by linear layers, combined by `form`, and a linear layer at the end."""

    def __init__(self, form: Form, square: bool = False) -> None:
        super().__init__()
        self.form, self.square = form, square
        self.keys, self.values = nn.Linear(6, 50 if square else 10), nn.Linear(6, 30)
        self.head = nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        k = self.keys(x).unflatten(1, (2, 5, 5) if self.square else (2, 5))
        v = self.values(x)
        formed = self.form(k, v.unflatten(1, HEADS)).flatten(1)
        return self.head(torch.cat([formed, v], 1))


def stable(k: Tensor, dim: int = -1) -> Tensor:
    return (k - k.amax(dim, keepdim=True)).exp()


def weighted(k: Tensor, v: Tensor) -> Tensor:
    return (k.softmax(-1)[..., None] * v).sum(2)


def softmax(k: Tensor, v: Tensor) -> Tensor:
    return k.softmax(-1)


def attention(k: Tensor, v: Tensor) -> Tensor:
    return k.softmax(-1) @ v


def causal(k: Tensor, v: Tensor) -> Tensor:
    return k.masked_fill(~KEPT, -torch.inf).softmax(-1)


def normalised(e: Tensor) -> Tensor:
    return e / e.sum(-1, keepdim=True)


def build(form: Form, square: bool) -> Net:
    net = Net(form, square).double()
    net(torch.zeros(1, 6).double())
    return randomise(net)


def assert_explained_alike(
    got: Explainer, want: Explainer, presets: tuple[str, ...], same_steps: bool = True
) -> None:
    """Compare output, relevance and ledger, by one explainer for each model."""
    x = signed(3, 6)
    for preset in presets:
        a, b = (each.with_recipe(preset)(x, target=1, ledger=True) for each in (got, want))
        torch.testing.assert_close(a.output, b.output, rtol=1e-12, atol=1e-12)
        assert_same(a.relevance, b.relevance, 1e-12)
        assert a.ledger.error < 1e-12
        assert not same_steps or len(a.ledger.entries) == len(b.ledger.entries)
