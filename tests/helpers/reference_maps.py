"""Small networks, written with torch and with reference_attention.py, and their comparison."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import relprop
from helpers import reference_attention as ref
from helpers.networks import randomise, signed
from relprop import Recipe

CLOSE = 1e-9  # of the norm
LENGTH, WIDTH, BATCH, CLASSES = 4, 6, 2, 2
ROWS = [np.arange(WIDTH) + row * WIDTH for row in range(LENGTH)]
ATTN = {"attnlrp": "attnlrp"}
CONSTANT = {"attnlrp": False, "cp-lrp": True}  # whether the weights of attention are

Reference = Callable[["Net", ref.Value, bool], ref.Operand]


class Net(nn.Module):
    """Layers, a body that the test writes, and a linear head over all that the body returns.

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


def linear(x: ref.Operand, layer: nn.Linear) -> ref.Operand:
    """A layer of torch in the reference implementation."""
    return ref.linear(x, layer.weight, layer.bias)


def reference_relevance(
    net: Net, reference: Reference, x: Tensor, k: int, constant: bool = False
) -> Tensor:
    """Compute the reference relevance of a batch, after a check that scores are those of net."""
    maps = []
    for sample, scores in zip(x, net(x), strict=True):
        value = ref.Value(ref.data(sample))
        flat = ref.move(reference(net, value, constant), np.ravel)
        out = ref.linear(flat, net.head.weight, net.head.bias)
        np.testing.assert_allclose(out.data, ref.data(scores), rtol=1e-9)
        maps.append(torch.from_numpy(ref.explain(value, out, k)))
    return torch.stack(maps)


def assert_same(got: Tensor, want: Tensor, close: float = CLOSE) -> None:
    assert got.shape == want.shape
    assert torch.isfinite(got).all()
    assert ((got - want).norm() / want.norm()).item() < close


def check(
    net: Net, reference: Reference, x: Tensor, recipes: dict[str, Recipe | str] | None = None
) -> None:
    """Compare the relevance of each class by each recipe with the reference; the ledger balances.

    recipes  name -> recipe; the reference holds attention constant for "cp-lrp"
    """
    recipes = recipes or {name: name for name in CONSTANT}
    explainer = relprop.Explainer(net)
    for name, recipe in recipes.items():
        for k in range(CLASSES):
            e = explainer.with_recipe(recipe)(x, target=k, ledger=True)
            assert_same(
                e.relevance, reference_relevance(net, reference, x, k, CONSTANT.get(name, False))
            )
            assert e.ledger.error < 1e-9


def tokens(*shape: int) -> Tensor:
    return signed(BATCH, *(shape or (LENGTH, WIDTH)))


def two_layer_net(
    body: Callable[..., Tensor], outputs: int = LENGTH * WIDTH, **more: nn.Module
) -> Net:
    """Build a network with linear layers a and b before the body's operation."""
    layers = {"a": nn.Linear(WIDTH, WIDTH), "b": nn.Linear(WIDTH, WIDTH), **more}
    return randomise(Net(body, outputs, **layers).double())


def erf_gelu(z: np.ndarray) -> np.ndarray:
    return 0.5 * z * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
