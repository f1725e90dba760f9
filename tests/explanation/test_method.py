"""Method: an explainer as a function (model, x, target) of any model."""

import copy

import pytest
import torch
from helpers.networks import randomise, signed, small_cnn
from torch import nn

import relprop


@pytest.fixture
def model() -> nn.Module:
    return randomise(small_cnn()).double()


X = signed(3, 2, 12, 12)


def test_it_gives_the_relevance_of_its_explainer(model):
    explainer = relprop.Explainer(model, "epsilon-plus")
    target = torch.tensor([1, 0, 3])
    got = relprop.Method(explainer)(model, X, target)
    assert got.equal(explainer(X, target).relevance)


def test_another_model_is_explained_by_the_same_recipe_and_options(model):
    other = randomise(copy.deepcopy(model), seed=7)
    explainer = relprop.Explainer(model, "epsilon-plus", capture="per-input")
    method = relprop.Method(explainer)
    got = method(other, X, 1)
    assert got.equal(relprop.explain(other, X, "epsilon-plus", 1).relevance)
    assert not torch.allclose(got, method(model, X, 1))


def test_a_copy_is_captured_once_and_its_new_weights_are_followed(model, monkeypatch):
    other = copy.deepcopy(model)
    method = relprop.Method(relprop.Explainer(model, "epsilon"))
    method(other, X, 1)
    monkeypatch.delattr(torch.export, "export")  # no model can be captured from here on
    randomise(other, seed=3)
    got = method(other, X, 1)
    monkeypatch.undo()
    assert got.equal(relprop.explain(other, X, "epsilon", 1).relevance)


@pytest.mark.parametrize("given", [nn.Linear(4, 3).eval(), "epsilon", None])
def test_a_method_is_made_of_an_explainer(given):
    with pytest.raises(relprop.RelpropError, match=f"a {type(given).__name__}") as error:
        relprop.Method(given)
    model = nn.Linear(4, 3).eval()
    method = eval(error.value.todo.removeprefix("write "), {"relprop": relprop, "model": model})
    assert method(model, torch.ones(2, 4), 0).shape == (2, 4)
