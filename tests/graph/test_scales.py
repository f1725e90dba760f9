"""The factor of a product that a rule may hold constant: a gate or a statistic."""

import pytest
from helpers.graphs import analyse
from torch import Tensor
from torch.nn import functional as F


def variance(h: Tensor) -> Tensor:
    return h.square().mean(1, keepdim=True) + 1e-6


FACTORS = {  # function of two layers' outputs -> kind, and the operation of the constant factor
    "a sigmoid": (lambda h, g: h * g.sigmoid(), "gate", "sigmoid"),
    "a sigmoid first": (lambda h, g: g.sigmoid() * h, "gate", "sigmoid"),
    "a sigmoid of itself": (lambda h, g: h * h.sigmoid(), "gate", "sigmoid"),
    "a clipped ramp": (lambda h, g: h * (F.relu6(h + 3) / 6), "gate", "div"),
    "a shifted tanh": (lambda h, g: (g.tanh() + 1) * h, "gate", "add"),
    "a tanh and a sigmoid": (lambda h, g: h.tanh() * g.sigmoid(), "gate", "sigmoid"),
    "a tanh is a signal": (lambda h, g: h * g.tanh(), "product", "tanh"),
    "an activated factor": (lambda h, g: h * F.silu(g), "product", "silu"),
    "two activated factors": (lambda h, g: F.gelu(h) * F.silu(g), "product", None),
    "a norm": (lambda h, g: h * variance(h).rsqrt(), "normalisation", "rsqrt"),
    "the norm of another": (lambda h, g: h * variance(g).rsqrt(), "product", "rsqrt"),
    "a quotient": (lambda h, g: h / g, "normalisation", "linear"),
    "two values": (lambda h, g: h * g, "product", None),
}


@pytest.mark.parametrize("name", FACTORS)
def test_the_factor_of_a_product_that_a_rule_may_hold(name):
    function, kind, operation = FACTORS[name]
    graph, analysis = analyse(lambda x, a, b, *_: function(a(x), b(x)))
    product = graph.node(graph.output)
    assert analysis.kinds[product.name] == kind
    index = analysis.constant_factor.get(product.name)
    factor = None if index is None else graph.node(product.args[index].name).operation
    assert factor == operation
