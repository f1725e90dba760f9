"""Products, gates, softmax and activations against reference_attention.py, in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import reference_attention as ref
from helpers.networks import randomise, signed
from helpers.reference_maps import (
    ATTN,
    LENGTH,
    WIDTH,
    Net,
    Reference,
    assert_same,
    check,
    erf_gelu,
    linear,
    tokens,
    two_layer_net,
)
from torch import Tensor, nn
from torch.nn import functional as F

import relprop
from relprop import Recipe, Selector


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def silu(z: np.ndarray) -> np.ndarray:
    return z * sigmoid(z)


def tanh_gelu(z: np.ndarray) -> np.ndarray:
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def two(net: Net, x: ref.Value) -> tuple[ref.Operand, ref.Operand]:
    """The layers a and b."""
    return linear(x, net.a), linear(x, net.b)


def of_two(rule: str, function: Callable = lambda z: z) -> Reference:
    """a(x) times function of b(x)."""

    def reference(net: Net, x: ref.Value, constant: bool) -> ref.Operand:
        a, b = two(net, x)
        return ref.product(a, ref.activation(b, function), rule)

    return reference


def of_one(function: Callable) -> Reference:
    """An activation of a(x)."""
    return lambda net, x, constant: ref.activation(linear(x, net.a), function)


def by_hand_swish(net: Net, x: Tensor) -> Tensor:
    a = net.a(x)
    return a * torch.sigmoid(a)


def by_hand_gelu(net: Net, x: Tensor) -> Tensor:
    a = net.a(x)
    return 0.5 * a * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))


def reference_softmax(net: Net, x: ref.Value, constant: bool) -> ref.Operand:
    return ref.softmax(linear(x, net.a))


def reference_matmul(net: Net, x: ref.Value, constant: bool) -> ref.Operand:
    a, b = two(net, x)
    return ref.matmul(a, ref.move(b, np.transpose))


OPERATIONS: dict[str, tuple[Callable[..., Tensor], Reference, int]] = {
    "softmax": (lambda m, x: m.a(x).softmax(-1), reference_softmax, LENGTH * WIDTH),
    "matmul": (lambda m, x: m.a(x) @ m.b(x).mT, reference_matmul, LENGTH * LENGTH),
    "einsum": (
        lambda m, x: torch.einsum("nid,njd->nij", m.a(x), m.b(x)),
        *(reference_matmul, LENGTH * LENGTH),
    ),
    "product": (lambda m, x: m.a(x) * m.b(x), of_two("uniform"), LENGTH * WIDTH),
    "SwiGLU": (lambda m, x: m.a(x) * F.silu(m.b(x)), of_two("uniform", silu), LENGTH * WIDTH),
    "gate": (lambda m, x: m.a(x) * m.b(x).sigmoid(), of_two("first", sigmoid), LENGTH * WIDTH),
    "SiLU": (lambda m, x: F.silu(m.a(x)), of_one(silu), LENGTH * WIDTH),
    "SiLU by hand": (by_hand_swish, of_one(silu), LENGTH * WIDTH),
    "GELU": (lambda m, x: F.gelu(m.a(x)), of_one(erf_gelu), LENGTH * WIDTH),
    "GELU by tanh": (
        lambda m, x: F.gelu(m.a(x), approximate="tanh"),
        *(of_one(tanh_gelu), LENGTH * WIDTH),
    ),
    "GELU by tanh, by hand": (by_hand_gelu, of_one(tanh_gelu), LENGTH * WIDTH),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_operation(name):
    body, reference, outputs = OPERATIONS[name]
    check(two_layer_net(body, outputs), reference, tokens(), ATTN)


@pytest.mark.parametrize("function", [None, "sigmoid"])
def test_proportional(function):
    """By the size of each factor, a gate's too."""
    gate = getattr(torch, function) if function else (lambda b: b)
    recipe = Recipe.preset("attnlrp")
    kinds = ("gate",) if function else ("product",)
    recipe = recipe.using(Selector(kinds=kinds), "proportional")
    if function:
        recipe = recipe.using(Selector(operation=function), "pass-through")
    reference = of_two("proportional", sigmoid if function else (lambda z: z))
    check(
        two_layer_net(lambda m, x: m.a(x) * gate(m.b(x))),
        reference,
        tokens(),
        {"proportional": recipe},
    )


def test_a_gate_may_share():
    recipe = Recipe.preset("attnlrp").using(Selector(kinds=("gate",)), "uniform")
    recipe = recipe.using(Selector(operation="sigmoid"), "pass-through")
    net = two_layer_net(lambda m, x: m.a(x) * m.b(x).sigmoid())
    check(net, of_two("uniform", sigmoid), tokens(), {"uniform": recipe})
    with pytest.raises(AssertionError):  # and the comparison notices
        check(net, of_two("uniform", sigmoid), tokens(), ATTN)


def test_squeeze_and_excitation():
    """The map gets all, its gate nothing."""

    def body(m: Net, x: Tensor) -> Tensor:
        h = m.conv(x)
        gate = m.up(F.relu(m.down(h.mean((2, 3))))).sigmoid()
        return h * gate[:, :, None, None]

    def reference(m: Net, x: ref.Value, constant: bool) -> ref.Operand:
        rows = ref.move(x, lambda n: n.reshape(2, 9).T)
        h = ref.move(ref.linear(rows, m.conv.weight[:, :, 0, 0], m.conv.bias), np.transpose)
        hidden = linear(ref.mean(h, 1), m.down)
        gate = ref.activation(
            linear(ref.activation(hidden, lambda z: np.maximum(z, 0)), m.up), sigmoid
        )
        return ref.product(h, ref.move(gate, lambda n: np.repeat(n[:, None], 9, 1)), "first")

    layers = {"conv": nn.Conv2d(2, 3, 1), "down": nn.Linear(3, 2), "up": nn.Linear(2, 3)}
    check(randomise(Net(body, 27, **layers).double()), reference, tokens(2, 3, 3), ATTN)


def test_a_final_softmax_that_is_named():
    """The relevance of a probability is that of its score against all others."""
    layer = randomise(nn.Linear(WIDTH, 3).double())
    net, x = nn.Sequential(nn.Identity(), layer, nn.Softmax(-1)), tokens(WIDTH)
    recipe = Recipe.preset("attnlrp").using("2", "taylor")
    e = relprop.Explainer(net, recipe)(x, target=0, ledger=True)
    for sample, got in zip(x, e.relevance, strict=True):
        value = ref.Value(ref.data(sample[None]))
        out = ref.move(ref.softmax(linear(value, layer)), np.ravel)
        assert_same(got, torch.from_numpy(ref.explain(value, out, 0)[0]))
    assert e.ledger.error < 1e-9


def test_the_ledger_of_a_gradient_that_takes_a_logarithm():
    """Torch's gradient of logcumsumexp takes log |u| of what arrives, also where that is 0."""

    class Net(nn.Module):
        def forward(self, x):
            return torch.logcumsumexp(x, 1) @ torch.ones(3, 2).double()

    x = signed(2, 3).double()
    recipe = Recipe.preset("zero").using(Selector(operation="logcumsumexp"), "gradient")
    e = relprop.explain(Net().eval(), x, recipe, target=1, ledger=True)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(leaf.logcumsumexp(1).sum(), leaf)
    torch.testing.assert_close(e.relevance, x * gradient)
    left_out = e.output[:, 1] - (x * gradient).sum(1)
    torch.testing.assert_close(e.ledger.absorbed["linearisation"], left_out)
    assert e.ledger.error < 1e-12
