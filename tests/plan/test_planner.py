"""Planning: rules for single operations, the gradient among them, and values held constant."""

import re

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe


class Beside(nn.Module):
    """A function beside a path that relevance can take, in the model itself."""

    def __init__(self, function):
        super().__init__()
        self.a, self.head, self.function = nn.Linear(4, 4), nn.Linear(4, 3), function

    def forward(self, x):
        h = self.a(x)
        return self.head(h.relu() + self.function(h))


def cosine(h):
    return nn.functional.cosine_similarity(h, h.flip(1) + 1, dim=1)[:, None]


@pytest.mark.parametrize("rule", ["gradient", "constant"])
@pytest.mark.parametrize(
    "function", [torch.detach, torch.round, torch.sign, torch.ceil, torch.frac, cosine]
)
def test_a_rule_for_one_operation(function, rule):
    """The rest is gradient x input."""
    model, x, recipe = randomise(Beside(function)).double(), signed(2, 4), Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(model, x, recipe)
    line = error.value.todo.replace("straight-through", rule).replace("gradient", rule)
    recipe = eval(line[: line.index(") ") + 1], {"recipe": recipe, "relprop": relprop})
    e = relprop.Explainer(model, recipe)(x, 1, ledger=True)
    taken = function if rule == "gradient" else lambda h: function(h).detach()
    leaf = x.clone().requires_grad_()
    h = model.a(leaf)
    score = model.head(h.relu() + taken(h))[:, 1]
    torch.testing.assert_close(e.relevance, x * torch.autograd.grad(score.sum(), leaf)[0])
    assert e.ledger.error <= 1e-12
    assert e.relevance.any()


@pytest.mark.parametrize("rule", ["straight-through", "constant"])
@pytest.mark.parametrize("function", [torch.detach, torch.round, torch.sign, torch.ceil])
def test_the_line_that_an_error_advises_for_a_step_can_be_written(function, rule):
    """A step passes its cotangent on as it is, or nothing."""
    model, x, recipe = randomise(Beside(function)).double(), signed(2, 4), Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(model, x, recipe)
    line = re.match(r".*?\)(?= (passes|holds))", error.value.todo)[0]
    line = re.sub(r'"[a-z-]*"\)$', f'"{rule}")', line)
    e = relprop.Explainer(model, eval(line, {"recipe": recipe, "relprop": relprop}))(x, 1)
    leaf = x.clone().requires_grad_()
    h = model.a(leaf)
    score = model.head(h.relu() + (h if rule == "straight-through" else 0))[:, 1]
    torch.testing.assert_close(e.relevance, x * torch.autograd.grad(score.sum(), leaf)[0])
    assert e.dropped == ()


@pytest.mark.parametrize("name", ["heaviside", "floor_divide"])
def test_where_torch_has_no_derivative_the_value_is_to_be_held_constant(name):
    model = randomise(Beside(lambda h: getattr(torch, name)(h, h.new_ones(4)))).double()
    x, chosen = signed(2, 4), relprop.Selector(operation=name)
    recipe = Recipe.preset("zero").using(chosen, "gradient")
    with pytest.raises(relprop.RelpropError, match=f"gradient of {name}") as error:
        relprop.explain(model, x, recipe)
    names = {"explainer": relprop.Explainer(model, recipe), "relprop": relprop}
    line = error.value.todo.partition(" holds")[0].replace("recipe.using", "explainer.recipe.using")
    line = line.replace("explainer.explainer.", "explainer.")
    assert relprop.explain(model, x, eval(line, names)).relevance.any()


def test_a_zero_gradient_is_taken_beside_other_ways_and_refused_where_there_is_none():
    """Every operation by its gradient is gradient x input, of which all zeros would say nothing."""
    zero, x = Recipe.preset("zero"), signed(2, 4)
    recipe = zero.using(relprop.Selector(operation="round"), "gradient")
    plan = relprop.Explainer(randomise(Beside(torch.round)).double(), recipe).plan(x)
    (step,) = (step for step in plan.steps if step.node.operation == "round")
    assert step.why == "its gradient is zero"
    between = nn.Sequential(nn.Linear(4, 4), Rounded(), nn.Linear(4, 3)).double().eval()
    with pytest.raises(relprop.RelpropError, match='gradient of "1"') as error:
        relprop.explain(between, x, recipe)
    assert 'recipe.using("1", "straight-through")' in error.value.todo


class Rounded(nn.Module):
    def forward(self, x):
        return x.round()


def test_relevance_itself_passes_a_step_unchanged():
    """Flat above it takes relevance, which no division by rounded zeros changes."""
    model = randomise(nn.Sequential(nn.Linear(4, 4), Rounded(), nn.Linear(4, 3))).double()
    recipe = Recipe.preset("zero").using("1", "straight-through").using("2", "flat")
    e = relprop.explain(model, signed(2, 4), recipe, target=1, layers=["0", "1"], ledger=True)
    assert (e.layers["1"] != 0).all()
    assert e.layers["0"].equal(e.layers["1"])
    assert e.ledger.error < 1e-12


def test_what_holds_for_real_numbers_is_not_taken_for_complex_ones():
    model = randomise(Beside(lambda h: torch.fft.rfft(h, n=6).abs())).double()
    x, zero = signed(2, 4), Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError, match="no rule for complex_abs"):
        relprop.explain(model, x, zero.using(relprop.Selector(operation="fft_rfft"), "gradient"))
    explainer = relprop.Explainer(model, zero.using("", "gradient"))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(explainer(x, 0).relevance, x * gradient)
    with pytest.raises(relprop.RelpropError, match="ledger of relevance that passes complex"):
        explainer(x, 0, ledger=True)


def test_the_gradient_is_taken_where_a_recipe_asks_for_it():
    class Inner(nn.Module):
        def forward(self, x):
            return x.sin() * x.exp()

    model = randomise(nn.Sequential(nn.Linear(4, 4), Inner(), nn.Linear(4, 3))).double()
    x = signed(2, 4)
    e = relprop.explain(model, x, Recipe.preset("zero").using("1", "gradient"), target=1)
    leaf = x.clone().requires_grad_()
    expected = x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]
    torch.testing.assert_close(e.relevance, expected)


class Sloped(nn.Module):
    """A layer, and a PReLU whose slopes forward computes."""

    def __init__(self, slopes):
        super().__init__()
        self.layer, self.head, self.slopes = nn.Linear(4, 6), nn.Linear(6, 3), slopes

    def forward(self, x):
        z = self.layer(x)
        return self.head(nn.functional.prelu(z, self.slopes(self, z)))


SLOPES = {
    "torch.tensor": lambda model, z: torch.tensor([0.1], dtype=z.dtype),
    "torch.full": lambda model, z: torch.full((6,), 0.1, dtype=z.dtype),
    "new_tensor": lambda model, z: z.new_tensor([0.1]),
    "torch.arange": lambda model, z: torch.arange(6, dtype=z.dtype) / 10,
    "a parameter's absolute values": lambda model, z: model.layer.bias.abs(),
}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("preset", ["zero", "epsilon", "gamma"])
def test_an_activation_whose_slopes_are_computed_after_the_layer(name, preset):
    """The reference has the same slopes as a parameter, which is there before the layer runs."""
    model, x = randomise(Sloped(SLOPES[name])).double(), signed(2, 4)
    fixed = nn.PReLU(6).double()
    fixed.weight.data = SLOPES[name](model, x).detach().expand(6).clone()
    reference = nn.Sequential(model.layer, fixed, model.head).eval()
    got = relprop.explain(model, x, preset, target=1)
    want = relprop.explain(reference, x, preset, target=1)
    torch.testing.assert_close(got.relevance, want.relevance)
    e = relprop.Explainer(model, preset)(x, 1, ledger=True)
    assert e.ledger.error <= 1e-12
    if preset == "zero":
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
        torch.testing.assert_close(got.relevance, x * gradient)
