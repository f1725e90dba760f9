"""The model: what torch.jit made or another package patched is refused, torch.compile's is read."""

import warnings

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.refused_models import models, patched, traced
from torch import nn

import relprop
from relprop.errors import InputError

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


NO_MODEL = {
    "a shipped one's name": ("mnist-cnn", 'relprop.load_model("mnist-cnn")'),
    "another name": ("resnet", 'relprop.load_model("mnist-cnn")'),
    "a file": ("own.safetensors", 'relprop.load_model("own.safetensors")'),
    "a class": (nn.Linear, "model = Linear(...).eval()"),
    "weights": (nn.Linear(4, 3).state_dict(), "model.load_state_dict(weights)"),
    "an input": (X, "relprop.explain(model, x)"),
    "an explainer": (relprop.Explainer(dense()), "its attribute model"),
    "a method": (relprop.Method(relprop.Explainer(dense())), "its attribute explainer.model"),
    "a function": (lambda x: x, "a torch.nn.Module whose forward calls it"),
    "nothing": (None, "give the model itself"),
}


@pytest.mark.parametrize("name", NO_MODEL)
def test_what_is_no_model_is_refused_with_how_to_come_by_one(name, tmp_path):
    given, todo = NO_MODEL[name]
    explainer = relprop.Explainer(dense())
    explainer.plan(X)
    explainer.save(tmp_path / "dense.plans")
    for call in (
        lambda: relprop.Explainer(given),
        lambda: relprop.explain(given, X),
        lambda: relprop.Explainer.load(tmp_path / "dense.plans", given),
    ):
        with pytest.raises(InputError, match=f"a model of type {type(given).__name__}") as error:
            call()
        assert todo in error.value.todo


def test_the_model_of_saved_plans_in_train_mode(tmp_path):
    model = dense()
    explainer = relprop.Explainer(model)
    want = explainer(X).relevance
    explainer.save(tmp_path / "dense.plans")
    with pytest.raises(relprop.RelpropError, match="training of") as error:
        relprop.Explainer.load(tmp_path / "dense.plans", model.train())
    eval(error.value.todo.removeprefix("call ").removesuffix(" before"))
    loaded = relprop.Explainer.load(tmp_path / "dense.plans", model)
    assert loaded(X).relevance.equal(want)
