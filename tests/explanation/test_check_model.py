"""The model: what torch.jit made or another package patched is refused, torch.compile's is read."""

import warnings

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.refused_models import models, patched, traced
from torch import nn

import relprop

X = signed(2, 4).float()


def dense() -> nn.Module:
    return randomise(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)))


def scripted(model: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is about to retire
        return torch.jit.script(model)


@pytest.mark.parametrize("make", [traced, scripted])
def test_what_torch_jit_made_is_refused_and_its_numbers_can_be_loaded(make):
    model = make(dense())
    for given in (model, nn.Sequential(model)):
        with pytest.raises(relprop.RelpropError, match=r"torch\.jit traced or scripted") as error:
            relprop.explain(given, X)
    assert '"0"' in error.value.given
    assert "model.load_state_dict(traced.state_dict())" in error.value.todo
    again = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(relprop.explain(again, X).output, model(X).detach())


@pytest.mark.parametrize("inside", [False, True])
def test_a_compiled_model_is_explained_by_its_own_names(inside):
    model = dense()
    want = relprop.explain(model, X, relprop.Recipe.preset("zero").using("2", "gamma"), 1)
    if inside:
        model[2] = torch.compile(model[2], backend="eager")
    else:
        model = torch.compile(model, backend="eager")
    recipe = relprop.Recipe.preset("zero").using("2", "gamma")
    explainer = relprop.Explainer(model, recipe)
    assert [step.node.module for step in explainer.plan(X).steps] == ["0", "2"]
    e = explainer(X, 1, layers=["1"] if not inside else ())
    torch.testing.assert_close(e.relevance, want.relevance)
    method = relprop.Method(explainer)
    assert method.explainer_of(model) is explainer


def test_a_model_that_another_package_patched_is_refused_but_for_its_dropout():
    with pytest.raises(relprop.RelpropError, match=r"lxt\.efficient\.patches replaced") as error:
        relprop.explain(models().patched, X)
    assert '"attnlrp"' in error.value.todo
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout()).eval()
    model[1].forward = lambda x: x
    model[1].forward.__module__ = "lxt.efficient.patches"
    torch.testing.assert_close(relprop.explain(model, X).output, model(X).detach())
    with pytest.raises(relprop.RelpropError, match='module "0"'):
        relprop.explain(nn.Sequential(patched(nn.Linear(4, 4)), nn.ReLU()).eval(), X)
