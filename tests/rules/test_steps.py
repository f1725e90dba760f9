"""Surrogates of step functions: gradient x input of a net whose backward pass has them."""

import math

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe, Selector

DERIVATIVES = {
    "straight-through": torch.ones_like,
    "fast-sigmoid": lambda u: 1 / (1 + 25 * u.abs()) ** 2,
    "arctan": lambda u: 1 / (1 + (math.pi * u) ** 2),
}


def surrogate(step, derivative):
    """Make the step function an operation of autograd's, with a derivative of our choice."""

    class Surrogate(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return step(u)

        @staticmethod
        def backward(ctx, c):
            (u,) = ctx.saved_tensors
            return c * derivative(u)

    return Surrogate.apply


class Spiking(nn.Module):
    """Two layers of leaky integrate-and-fire units that reset by subtraction, over four steps."""

    def __init__(self, spike):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 3)
        self.spike = spike

    def forward(self, x):
        a, b, scores = x.new_zeros(()), x.new_zeros(()), x.new_zeros(())
        for _ in range(4):
            a = 0.9 * a + self.first(x)
            one = self.spike(a, 0.3)
            a = a - 0.3 * one
            b = 0.8 * b + self.second(one)
            two = self.spike(b, 0.2)
            b = b - 0.2 * two
            scores = scores + self.head(two)
        return scores


SPIKES = {
    "gt": lambda u, threshold: (u > threshold).to(u.dtype),
    "lt": lambda u, threshold: 1 - (u < threshold).to(u.dtype),
    "ge": lambda u, threshold: (u - threshold >= 0).to(u.dtype),
    "le": lambda u, threshold: (torch.full_like(u, threshold) <= u) * torch.ones_like(u),
    "where": lambda u, threshold: torch.where(u > threshold, 1.0, 0.0).to(u.dtype),
    "where, values": lambda u, threshold: torch.where(
        u > threshold, torch.ones_like(u), torch.zeros_like(u)
    ),
    "masked_fill": lambda u, threshold: torch.ones_like(u).masked_fill(u <= threshold, 0.0),
    "custom": lambda u, threshold: surrogate(lambda v: (v > 0).to(v.dtype), None)(u - threshold),
}


@pytest.mark.parametrize("spike", SPIKES)
@pytest.mark.parametrize("rule", DERIVATIVES)
def test_a_spiking_net_by_a_surrogate_is_its_gradient_times_input(rule, spike):
    model, x = randomise(Spiking(SPIKES[spike]).double()), signed(3, 4)
    recipe = Recipe.preset("zero").using(Selector(operation="[gl][te]"), rule)
    e = relprop.Explainer(model, recipe)(x, target=1, ledger=True)
    step = surrogate(lambda u: (u > 0).to(u.dtype), DERIVATIVES[rule])
    reference, leaf = Spiking(lambda u, t: step(u - t)), x.clone().requires_grad_()
    reference.double().load_state_dict(model.state_dict())
    scores = reference(leaf)
    torch.testing.assert_close(e.output, scores.detach())
    (gradient,) = torch.autograd.grad(scores[:, 1].sum(), leaf)
    torch.testing.assert_close(e.relevance, gradient * x)
    assert gradient.any()
    assert e.ledger.error < 1e-9
    assert e.dropped == ()


@pytest.mark.parametrize("function", [torch.round, torch.floor, torch.trunc, torch.sign])
def test_straight_through_a_rounding_is_as_if_it_were_not_there(function):
    class Quantised(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.head(function(3 * self.layer(x)) / 3)

    model, x = randomise(Quantised().double()), signed(3, 4)
    with pytest.raises(relprop.RelpropError, match="no rule for") as error:
        relprop.explain(model, x, "zero")
    line = error.value.todo.split(" passes")[0]
    recipe = eval(line, {"recipe": Recipe.preset("zero"), "relprop": relprop})
    e = relprop.Explainer(model, recipe)(x, target=0, ledger=True)
    c = model.head.weight[0].detach() @ model.layer.weight.detach()
    torch.testing.assert_close(e.relevance, x * c)
    h = 3 * model.layer(x)
    expected = ((function(h) - h) / 3 * model.head.weight[0]).sum(1).detach()
    torch.testing.assert_close(e.ledger.absorbed["linearisation"], expected)


def test_flat_above_a_step_gives_relevance_to_units_that_did_not_fire():
    model, x = randomise(Spiking(SPIKES["gt"]).double()), signed(2, 4)
    recipe = Recipe.preset("zero").using(Selector(operation="gt"), "straight-through")
    e = relprop.Explainer(model, recipe.using("head", "flat"))(x, target=1, ledger=True)
    assert e.ledger.error < 1e-6
    assert e.relevance.any()
