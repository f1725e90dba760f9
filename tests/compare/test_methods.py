"""Methods by name: closed forms on a linear model, and the library's own explanations."""

import sys

import pytest
import torch
from torch import nn

import relprop
from relprop import Explainer, Recipe
from relprop.compare import METHODS
from relprop.compare.methods import GRADIENT_METHODS, attribute, parse_method
from relprop.demo.rule_table import RECIPES
from relprop.errors import MissingExtraError


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Linear(6, 3).double().eval()


X = torch.rand(4, 6, generator=torch.Generator().manual_seed(1)).double()
CLASSES = torch.tensor([0, 2, 1, 2])


def relevance(text, model, seed=0):
    return attribute(parse_method(text).bind(Explainer(model)), model, X, CLASSES, seed=seed)


@pytest.mark.parametrize("text", ["gradient-x-input", "integrated-gradients:steps=3"])
def test_a_linear_model_gets_what_each_input_contributes(text, linear):
    if text.startswith("integrated"):
        pytest.importorskip("captum")
    torch.testing.assert_close(relevance(text, linear), X * linear.weight[CLASSES].detach())


def test_smoothgrad_of_a_linear_model_is_its_weights(linear):
    pytest.importorskip("captum")
    torch.testing.assert_close(relevance("smoothgrad", linear), linear.weight[CLASSES].detach())


def test_smoothgrad_is_the_mean_gradient_around_a_sample():
    """Of score x^2 / 2 the gradient is x, so that it is x plus the mean noise."""
    pytest.importorskip("captum")

    class Square(nn.Module):
        def forward(self, x):
            return torch.stack([(x**2).sum(1) / 2, x.sum(1)], 1)

    classes = torch.zeros(4, dtype=torch.long)
    model = Square().eval()
    smooth = parse_method("smoothgrad:samples=400,noise=0.2").bind(Explainer(model))
    got = attribute(smooth, model, X, classes, seed=3)
    spread = 0.2 * float(X.max() - X.min()) / 400**0.5  # of a mean of 400
    assert 0.5 * spread < float((got - X).std()) < 1.5 * spread
    assert got.equal(attribute(smooth, model, X, classes, seed=3))
    assert not got.equal(attribute(smooth, model, X, classes, seed=4))


def test_what_a_method_draws_leaves_the_users_generator_alone(linear):
    pytest.importorskip("captum")
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    relevance("smoothgrad", linear)
    assert torch.rand(3).equal(expected)


def test_a_recipe_with_parameters_explains_the_class_that_is_given():
    model = relprop.load_model("mnist-cnn")
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([1, 2, 3])
    text = "epsilon-gamma-box:low=0,high=1,relative=true,epsilon=0.1"
    recipe = Recipe.preset("epsilon-gamma-box", low=0, high=1, relative=True, epsilon=0.1)
    got = attribute(parse_method(text).bind(Explainer(model)), model, x, classes, seed=0)
    assert got.equal(relprop.explain(model, x, recipe, classes).relevance)


@pytest.mark.parametrize("name", [name for name in GRADIENT_METHODS if name != "gradient-x-input"])
def test_a_missing_captum_is_named_with_its_extra(name, linear, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtraError, match=name) as caught:
        relevance(name, linear)
    assert caught.value.todo == 'pip install "relprop[evaluate]"'


def test_the_usual_methods_are_the_recipes_of_the_demo():
    """Written as text and parsed again, so that both name the same parameters."""
    model = nn.Sequential(nn.Linear(6, 3)).double().eval()
    explainer = Explainer(model)
    methods = {text.partition(":")[0]: parse_method(text).bind(explainer) for text in METHODS}
    del methods["gradient-x-input"]
    assert methods.keys() == RECIPES.keys()
    for name, method in methods.items():
        assert str(method.explainer.recipe) == str(RECIPES[name])
