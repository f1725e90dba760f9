"""Activations with f(0) != 0: relevance per unit by the slope of the secant from zero."""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import pytest
import torch
from helpers.close_maps import assert_same, explain
from torch import Tensor, nn
from torch.nn import functional as F

import relprop
from relprop import Recipe, Selector, at
from relprop.errors import PlanError

FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Any], Any]]] = {
    "exp": (torch.exp, mpmath.exp),
    "sigmoid": (torch.sigmoid, lambda z: 1 / (1 + mpmath.exp(-z))),
    "cos": (torch.cos, mpmath.cos),
    "softplus": (F.softplus, lambda z: mpmath.log(1 + mpmath.exp(z))),
    "softplus, beta": (
        lambda z: F.softplus(z, beta=2.0),
        lambda z: mpmath.log(1 + mpmath.exp(2 * z)) / 2,
    ),
    "log_sigmoid": (F.logsigmoid, lambda z: -mpmath.log(1 + mpmath.exp(-z))),
    "hardsigmoid": (F.hardsigmoid, lambda z: max(mpmath.mpf(0), min(mpmath.mpf(1), z / 6 + 0.5))),
    "clamp": (lambda z: z.clamp(0.5, 2.0), lambda z: max(mpmath.mpf(0.5), min(mpmath.mpf(2), z))),
    "hardtanh": (lambda z: F.hardtanh(z, -2.0, -0.5), lambda z: max(-2, min(-0.5, z))),
    "threshold": (lambda z: F.threshold(z, 1.0, 0.25), lambda z: z if z > 1 else mpmath.mpf(0.25)),
}
SUMS = [-3.0, -0.4, 0.3, 2.5, 1e-3, -1e-8, 1e-12, 0.0]


class Between(nn.Module):
    """An activation between two linear layers; `weight` has one sum of SUMS for each unit."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.first = nn.Linear(2, len(SUMS), bias=False)
        self.last = nn.Linear(len(SUMS), 1, bias=False)
        self.first.weight.data = torch.tensor([[1.0 + z, -1.0] for z in SUMS])
        self.last.weight.data = torch.arange(1.0, 1 + len(SUMS))[None]

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x)))


def secant_slope(f: Callable[[Any], Any], z: float) -> float:
    """(f(z) - f(0)) / z in 60 digits; at 0 the slope of a very short secant."""
    with mpmath.workdps(60):
        short = mpmath.mpf(z) or mpmath.mpf(10) ** -25
        return float((f(short) - f(mpmath.mpf(0))) / short)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_relevance_per_unit_is_the_slope_of_the_secant(name, dtype, close):
    """Also where the sum is so near zero that f(z) - f(0) would be all rounding."""
    function, exact = FUNCTIONS[name]
    net = Between(function).to(dtype).eval()
    x = torch.ones(1, 2, dtype=dtype)
    slopes = [secant_slope(exact, z) for z in net.first(x)[0].tolist()]
    per_unit = torch.tensor(slopes, dtype=torch.float64) * net.last.weight[0].double()
    want = (per_unit @ net.first.weight.double())[None]
    assert_same(explain(net, x, "zero", target=at(0)), want.to(dtype), close)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_value_at_zero_is_absorbed_by_constants(name):
    function, exact = FUNCTIONS[name]
    net = Between(function).double().eval()
    e = relprop.Explainer(net, "zero")(torch.ones(1, 2).double(), target=at(0), ledger=True)
    (constants,) = (x.absorbed["constants"] for x in e.ledger.entries if x.operation != "linear")
    want = float(exact(mpmath.mpf(0))) * net.last.weight.sum().double()
    torch.testing.assert_close(constants, want[None], rtol=1e-14, atol=0)
    assert e.ledger.error < 1e-13


POLES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[float], float]]] = {
    "log": (torch.log, lambda z: 1 / z),
    "reciprocal": (torch.reciprocal, lambda z: -1 / z**2),
    "rsqrt": (torch.rsqrt, lambda z: -0.5 * z**-1.5),
    "pow": (lambda z: z**-2.5, lambda z: -2.5 * z**-3.5),
}


@pytest.mark.parametrize("name", POLES)
def test_without_a_value_at_zero_relevance_per_unit_is_the_derivative(name):
    function, derivative = POLES[name]
    sums = torch.tensor([0.2, 0.4, 1.5, 30.0], dtype=torch.float64)
    net = Between(function).double().eval()
    net.first, net.last = nn.Linear(2, 4, bias=False), nn.Linear(4, 1, bias=False)
    net.first.weight.data = torch.stack([sums + 1, -torch.ones_like(sums)], 1)
    net.last.weight.data = torch.tensor([[3.0, -1.0, 0.5, 2.0]]).double()
    x = torch.ones(1, 2).double()
    e = relprop.Explainer(net, "zero")(x, target=at(0), ledger=True)
    slopes = torch.tensor([derivative(z) for z in sums.tolist()], dtype=torch.float64)
    want = (slopes * net.last.weight[0]) @ net.first.weight
    assert_same(e.relevance, want[None].detach(), 1e-11)
    (left,) = (x.absorbed["linearisation"] for x in e.ledger.entries if x.operation != "linear")
    rest = (net.last.weight[0] * (function(sums) - slopes * sums)).sum()
    torch.testing.assert_close(left, rest[None].detach(), rtol=1e-11, atol=0)
    assert e.ledger.error < 1e-13


WRITTEN_OUT: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "log_sigmoid": (lambda z: z.sigmoid().log(), F.logsigmoid),
    "sigmoid": (lambda z: 1 / (1 + (-z).exp()), torch.sigmoid),
    "softplus": (lambda z: (1 + z.exp()).log(), F.softplus),
    "a value read by a logarithm, too": (
        lambda z: z.sigmoid() + 0 * z.sigmoid().log(),
        torch.sigmoid,
    ),
}


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_a_function_written_out_has_the_sign_and_the_size_of_its_gradient(name):
    """Near zero both are the gradient; far from it they differ in where they take the slope."""
    written, whole = WRITTEN_OUT[name]
    x = torch.ones(1, 2).double()
    for z, close in ((1e-6, 1e-5), (-1e-6, 1e-5), (0.1, 0.06), (-0.1, 0.06)):
        net = Between(written).double().eval()
        net.first.weight.data = torch.tensor([[1.0 + z, -1.0]] * len(SUMS)).double()
        other = Between(whole).double().eval()
        other.load_state_dict(net.state_dict())
        inputs = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(inputs).sum(), inputs)
        for one in (net, other):
            assert_same(explain(one, x, "zero", target=at(0)), gradient * x, close)


def test_relevance_itself_passes_every_activation_unchanged():
    """As after a rule that gives no relevance per unit: flat gives each unit the same share."""
    net = Between(torch.log).double().eval()
    net.first.weight.data = net.first.weight.data.abs() + 1
    x = torch.ones(1, 2).double()
    e = relprop.explain(net, x, Recipe.preset("zero").using("last", "flat"), target=at(0))
    score = net(x)[0, 0]
    z = net.first.weight.double() @ x[0]
    want = (score / len(SUMS) / z) @ net.first.weight.double()
    assert_same(e.relevance, want[None].detach(), 1e-6)


def test_hidden_sigmoids_bound_relevance_by_their_slope():
    """On 2,000 random nets at once: sum |R| <= sum_ij |x_i w_ij v_j| / 4."""
    gen = torch.Generator().manual_seed(0)
    w, v = (torch.randn(2000, 4, size, generator=gen).double() for size in (4, 1))
    net = nn.Sequential(nn.Linear(4, 8000, bias=False), nn.Sigmoid()).double().eval()
    net[0].weight.data = w.transpose(1, 2).reshape(8000, 4)
    x = torch.randn(1, 4, generator=gen).double()

    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.v = net, v[:, :, 0]

        def forward(self, x):
            return (self.net(x).unflatten(1, (2000, 4)) * self.v).sum(2)

    e = relprop.Explainer(Grouped().eval(), "zero")
    for k in (0, 17, 1999):
        slopes = torch.sigmoid(x @ w[k]) - 0.5
        slopes = slopes / (x @ w[k])
        want = x * ((slopes * v[k, :, 0]) @ w[k].T)
        assert_same(e(x, target=k).relevance, want, 1e-12)
        bound = (x.T * w[k] * v[k, :, 0]).abs().sum() / 4
        assert e(x, target=k).relevance.abs().sum() <= bound


def test_create_graph_differentiates_the_slope():
    net = Between(torch.exp).double().eval()
    x = torch.tensor([[1.0, 0.5]]).double().requires_grad_()
    explain(net, x, "zero", target=at(0), create_graph=True).sum().backward()
    y = x.detach().clone().requires_grad_()
    z = net.first(y)
    (net.last(z.exp()) - net.last(torch.ones_like(z))).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-12, atol=1e-12)


def test_pass_through_passes_the_value_at_zero_on():
    net = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Sigmoid(), nn.Linear(1, 1, bias=False))
    net[0].weight.data, net[2].weight.data = torch.tensor([[2.0, -0.5]]), torch.tensor([[3.0]])
    want = 3 / (1 + math.exp(-1.5)) * torch.tensor([[2.0, -0.5]]).double() / 1.5
    x = torch.ones(1, 2).double()
    for row in ("1", Selector(operation="sigmoid"), Selector(type="Sigmoid")):
        recipe = Recipe.preset("zero").using(row, "pass-through")
        got = explain(net.double().eval(), x, recipe, target=at(0))
        assert_same(got, want, 1e-14)


def test_pass_through_is_for_activations_alone():
    net = nn.Sequential(nn.Linear(4, 4), nn.Unflatten(1, (2, 2)), nn.Flatten(), nn.Linear(4, 2))
    recipe = Recipe.preset("zero").using("1", "pass-through")
    with pytest.raises(PlanError, match='"1" matches no module that takes the rule "pass-through"'):
        relprop.Explainer(net.eval(), recipe)(torch.ones(1, 4))
