"""Rules inside models: scaled inputs, and single precision."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe


def test_a_scaled_input_of_zero_keeps_the_relevance_that_flat_gives_it():
    weights = torch.randn(3, 6, generator=torch.Generator().manual_seed(0)).double()
    plain, doubled = nn.Linear(6, 3, bias=False).double(), nn.Linear(6, 3, bias=False).double()
    plain.weight.data, doubled.weight.data = weights, 2 * weights

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = plain

        def forward(self, x):
            return self.layer(x * 2)

    x = signed(2, 6).clamp(min=0)
    recipe = Recipe.preset("zero").using("*", "flat")
    got = relprop.explain(Scaled().eval(), x, recipe).relevance
    torch.testing.assert_close(got, relprop.explain(doubled, x, recipe).relevance)


@pytest.mark.parametrize("rule", ["flat", "w-squared"])
def test_normalisation_inside_the_model_passes_relevance_on(rule):
    """A pixel next to the mean becomes almost zero: what a rule gives it must not be divided by."""
    layer = randomise(nn.Linear(6, 3)).double()

    class Normalised(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer
            self.register_buffer("mean", torch.full((6,), 0.5))

        def forward(self, x):
            return self.layer((x - self.mean) / 0.2)

    x = torch.tensor([[0.5 + 1e-9, 0.0, 0.5, 1.0, 0.2, 0.7]], dtype=torch.float64)
    recipe = Recipe.preset("zero").using("*", rule)
    got = relprop.explain(Normalised().double().eval(), x, recipe, target=1)
    outside = relprop.explain(layer, (x - 0.5) / 0.2, recipe, target=1)
    torch.testing.assert_close(got.relevance, outside.relevance)


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
@pytest.mark.parametrize("epsilon", [1e-3, 1.0, 1e4])
def test_a_large_epsilon_in_float32(epsilon):
    layers = (nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    model, x = randomise(nn.Sequential(*layers)).double(), signed(2, 6)
    recipe = Recipe.preset("epsilon", epsilon=epsilon)
    double = relprop.explain(model, x, recipe, target=0).relevance
    single = relprop.explain(model.float(), x.float(), recipe, target=0).relevance
    torch.testing.assert_close(
        single.double(), double, rtol=1e-4, atol=1e-6 * float(double.abs().max())
    )


def test_alpha_beta_in_float32_keeps_small_negative_parts():
    layer = nn.Linear(3, 2, bias=False)
    layer.weight.data = torch.tensor([[1000.0, 1.0, -1e-5], [1.0, 1.0, 1.0]])
    x = torch.tensor([[1.0, 0.3333, 1.0]])
    single = relprop.explain(layer.eval(), x, "alpha-beta", target=0).relevance
    double = relprop.explain(layer.double(), x.double(), "alpha-beta", target=0).relevance
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=0)
