"""Small nets, written once more with reference_attention.py, and the comparison of their maps."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import relprop
from helpers import reference_attention as slow
from helpers.networks import randomise, signed
from relprop import Recipe

CLOSE = 1e-9  # of the norm
LENGTH, WIDTH, BATCH, CLASSES = 4, 6, 2, 2
ROWS = [np.arange(WIDTH) + row * WIDTH for row in range(LENGTH)]
ATTN = {"attnlrp": "attnlrp"}
CONSTANT = {"attnlrp": False, "cp-lrp": True}  # whether the weights of attention are

Twin = Callable[["Net", slow.Value, bool], slow.Given]


class Net(nn.Module):
    """Layers, a body that the test writes and a linear head over all that it returns.

    body  (net, x, ...)   layers  by name
    """

    def __init__(self, body: Callable[..., Tensor], outputs: int, **layers: nn.Module) -> None:
        super().__init__()
        self.body = body
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.head = nn.Linear(outputs, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        return self.head(self.body(self, x).flatten(1))


def linear(x: slow.Given, layer: nn.Linear) -> slow.Given:
    """A layer in the twin."""
    return slow.linear(x, layer.weight, layer.bias)


def twin_map(net: Net, twin: Twin, x: Tensor, k: int, constant: bool = False) -> Tensor:
    """Relevance of a batch by the twin of net's body, and that the twin computes what net does."""
    maps = []
    for sample, scores in zip(x, net(x), strict=True):
        value = slow.Value(slow.data(sample))
        flat = slow.move(twin(net, value, constant), np.ravel)
        out = slow.linear(flat, net.head.weight, net.head.bias)
        np.testing.assert_allclose(out.data, slow.data(scores), rtol=1e-9)
        maps.append(torch.from_numpy(slow.explain(value, out, k)))
    return torch.stack(maps)


def assert_same(got: Tensor, want: Tensor, close: float = CLOSE) -> None:
    assert got.shape == want.shape
    assert torch.isfinite(got).all()
    assert ((got - want).norm() / want.norm()).item() < close


def check(net: Net, twin: Twin, x: Tensor, recipes: dict[str, Recipe | str] | None = None) -> None:
    """By each recipe, for each class: the twin's map, and a ledger that closes.

    recipes  name -> recipe; the twin holds attention constant for "cp-lrp"
    """
    recipes = recipes or {name: name for name in CONSTANT}
    explainer = relprop.Explainer(net)
    for name, recipe in recipes.items():
        for k in range(CLASSES):
            e = explainer.with_recipe(recipe)(x, target=k, ledger=True)
            assert_same(e.relevance, twin_map(net, twin, x, k, CONSTANT.get(name, False)))
            assert e.ledger.error < 1e-9


def tokens(*shape: int) -> Tensor:
    return signed(BATCH, *(shape or (LENGTH, WIDTH)))


def built(body: Callable[..., Tensor], outputs: int = LENGTH * WIDTH, **more: nn.Module) -> Net:
    """A net with layers a and b of WIDTH before the body's operation."""
    layers = {"a": nn.Linear(WIDTH, WIDTH), "b": nn.Linear(WIDTH, WIDTH), **more}
    return randomise(Net(body, outputs, **layers).double())


def erf_gelu(z: np.ndarray) -> np.ndarray:
    return 0.5 * z * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
