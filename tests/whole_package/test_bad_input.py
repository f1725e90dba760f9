"""Every wrong input is an error in three parts that names what was given, before anything runs."""

import numpy
import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe

NET = randomise(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 4)))
X = signed(3, 1, 5, 5).float()


def nan_in_sample_1() -> torch.Tensor:
    x = X.clone()
    x[1, 0, 2, 2] = torch.nan
    return x


def box(**bounds: object) -> Recipe:
    return Recipe.preset("epsilon-gamma-box", **({"high": 1.0} | bounds))


def check(error: pytest.ExceptionInfo[relprop.RelpropError], given: str, todo: str) -> None:
    assert given in error.value.given
    assert todo in error.value.todo
    assert error.value.allowed
    assert str(error.value).count("\n") == 2


@pytest.mark.parametrize(
    ("x", "given", "todo"),
    [
        (X.numpy(), "type ndarray", "torch.as_tensor(x, dtype=torch.float32)"),
        (X[0, 0, 0], "shape (5,)", "x[None]"),
        (X[:0], "shape (0, 1, 5, 5)", "at least one sample"),
        (X.int(), "torch.int32", "x.float()"),
        (X.double(), "torch.float64", "x.to(torch.float32)"),
        (X.half(), "torch.float16", "x.to(torch.float32)"),
        (nan_in_sample_1(), "NaN or infinity, first in sample 1", "nan_to_num"),
        (X / 0, "NaN or infinity, first in sample 0", "nan_to_num"),
        (X[..., :4], "shape (3, 1, 5, 4)", "model(x)"),
        (X.expand(3, 2, 5, 5), "shape (3, 2, 5, 5)", "model(x)"),
    ],
)
def test_input(x, given, todo):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(NET, x)
    check(error, given, todo)


@pytest.mark.parametrize(
    ("target", "given", "todo"),
    [
        (4, "class 4 of a model with 4 classes", "0 to 3"),
        (-1, "class -1", "0 to 3"),
        (torch.tensor([0, 1]), "shape (2,) for a batch of 3", "one class per sample"),
        (torch.tensor([0, 1, 9]), "class 9", "0 to 3"),
        ([0, 9], "class 9", "0 to 3"),
        ([], "a list that is empty", '["predicted", "runner-up"]'),
        ([[0, 1], [1, 2]], "has lists in it", '["predicted", "runner-up"]'),
        (relprop.at(0, 1), "at(0, 1) of an output of shape (3, 4)", "sizes (4,)"),
        (relprop.at(4), "at(4,) of an output", "sizes (4,)"),
        ((relprop.at(1), 1), "a pair of equal classes", "different"),
        (torch.tensor([0.0, 1.0, 2.0]), "torch.float32", "target.long()"),
        (torch.tensor([True, False, True]), "torch.bool", "target.long()"),
        (True, "True", "class number"),
        (1.0, "torch.float32", "target=1"),
        ("runnerup", "'runnerup'", '"runner-up"'),
        ((0, 1, 2), "a tuple of 3", "(a, b)"),
        ((1, torch.tensor([0, 2, 1])), "a pair of equal classes for sample 2", "different"),
        ((0, 7), "class 7", "0 to 3"),
        ({"a": 1}, "a dict", "class numbers"),
        (lambda output: output, "returned (3, 4) for a batch of 3", "one number per sample"),
        (lambda output: 3.0, "returned float", "one number per sample"),
        (lambda output: torch.ones(3), "does not depend on the output", "from the output"),
    ],
)
def test_target(target, given, todo):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(NET, X, target=target)
    check(error, given, todo)


@pytest.mark.parametrize(
    ("make", "given", "todo"),
    [
        (lambda: Recipe.preset("epsilon-plus-flt"), "'epsilon-plus-flt'", '"epsilon-plus-flat"'),
        (lambda: Recipe.preset("zero").using("0", "gama"), "'gama'", '"gamma"'),
        (lambda: Recipe.preset("gamma", gamma=-0.1), "gamma = -0.1", "gamma=0.1"),
        (lambda: Recipe.preset("gamma", gama=0.1), "'gama'", '"gamma"'),
        (lambda: Recipe.preset("gamma", gamma="big"), "gamma = 'big'", "gamma=0.25"),
        (lambda: Recipe.preset("gamma", gamma=True), "gamma = True", "gamma=0.25"),
        (lambda: Recipe.preset("gamma", gamma=float("nan")), "gamma = nan", "gamma=0.25"),
        (lambda: Recipe.preset("epsilon", epsilon=float("inf")), "epsilon = inf", "epsilon="),
        (lambda: Recipe.preset("epsilon", relative=1), "relative = 1", "relative=True"),
        (lambda: Recipe.preset("alpha-beta", alpha=3.0, beta=1.0), "beta = 2", "alpha=2, beta=1"),
        (lambda: Recipe.preset("alpha-beta", alpha=0.5, beta=-0.5), "beta = -0.5", "beta=0.5"),
        (lambda: Recipe.preset("zero", gamma=1.0), "'gamma'", "leave it out"),
        (lambda: Recipe.preset("epsilon-gamma-box"), "'low' and 'high'", "low=0.0, high=1.0"),
        (lambda: Recipe.preset("epsilon-gamma-box", low=1, high=0), "low = 1, high=0", "low=0.0"),
        (lambda: Recipe.preset("zero").using("0", "z-box", low=0.0), "'high'", "high=1.0"),
        (lambda: Recipe.preset("zero").using(3, "gamma"), "type int", 'recipe.using("3", "gamma")'),
        (lambda: Recipe.preset("epsilon", epsilon=10**400), "epsilon = 1000", "epsilon=0.25"),
        (lambda: box(low=torch.tensor(0j)), "torch.complex64", "low=0.0"),
        (lambda: box(low=numpy.zeros(2)), "low = array([0., 0.])", "low=0.25"),
        (lambda: Recipe.from_toml(3), "a recipe of type int", "read_text()"),
        (lambda: Recipe.from_json(b"{}"), "a recipe of type bytes", "read_text()"),
        (lambda: relprop.Explainer(NET)(X, initial=numpy.ones(2)), "array([1., 1.])", "initial="),
        (lambda: relprop.Explainer(NET)(X, batchsize=2), "option batchsize", "batch_size"),
        (lambda: relprop.Explainer(NET, recipe=3), "int", "(x, target=3)"),
        (lambda: relprop.Explainer("mnist-cnn"), "str", "model"),
        (lambda: relprop.Explainer(NET)(X, initial="two"), "'two'", 'initial="score"'),
        (lambda: relprop.Explainer(NET, compile="no"), "compile is 'no'", "compile=True"),
        (lambda: relprop.Explainer(NET)(X, ledger="no"), "ledger is 'no'", "ledger=True"),
        (lambda: relprop.Explainer(NET)(X, recompute=1), "recompute is 1", "recompute=True"),
        (
            lambda: relprop.Explainer(NET)(X, keep_parallel=True),
            "keep_parallel=True without conditions",
            "leave keep_parallel out",
        ),
        (lambda: relprop.Explainer(NET)(X, create_graph=None), "None", "create_graph=True"),
        (lambda: relprop.Explainer(NET)(X, memory="1GB"), "memory is '1GB'", "memory=2 * 10**9"),
        (lambda: relprop.Explainer(NET)(X, memory=2e8), "200000000.0", "memory=200_000_000"),
        (lambda: relprop.Explainer(NET)(X, batch_size=0.5), "0.5", "batch_size=64"),
        (lambda: relprop.margin(torch.ones(3)), "(3,)", "batch"),
        (lambda: relprop.margin(torch.ones(2, 3), on="logits"), "'logits'", "probabilities"),
    ],
)
def test_recipes_and_options(make, given, todo):
    with pytest.raises(relprop.RelpropError) as error:
        make()
    check(error, given, todo)


def test_a_nan_inside_the_model_is_noticed():
    net = randomise(nn.Sequential(nn.Flatten(), nn.Linear(25, 3)))
    net[1].weight.data[0, 0] = torch.nan
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(net, X)
    check(error, "output for sample 0 is not finite", "weights")


def test_a_seed_of_one_for_a_score_of_zero_is_refused():
    net = nn.Sequential(nn.Flatten(), nn.Linear(25, 3, bias=False))
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(net.eval(), torch.zeros(2, 1, 5, 5), initial="one")
    check(error, "sample 0", 'initial="score"')


# An option that a call does not have, and the line that its error says to write.
UNKNOWN = {
    "recipe": ({"recipe": "gamma"}, 'relprop.Explainer(model, "gamma")(x)'),
    "method": ({"method": Recipe.preset("gamma")}, "relprop.Explainer(model, recipe)(x)"),
    "method of another name": ({"method": "lrp"}, "relprop.Explainer(model, recipe)(x)"),
    "epsilon": (
        {"epsilon": 0.1},
        'relprop.Explainer(model, relprop.Recipe.preset("epsilon", epsilon=0.1))(x)',
    ),
    "alpha": (
        {"alpha": 1, "ledger": True},
        'relprop.Explainer(model, relprop.Recipe.preset("alpha-beta", alpha=1, beta=0))(x)',
    ),
    "beta": (
        {"beta": 2},
        'relprop.Explainer(model, relprop.Recipe.preset("alpha-beta", alpha=3, beta=2))(x)',
    ),
    "low": (
        {"low": -1.0},
        'relprop.Explainer(model, relprop.Recipe.preset("epsilon-gamma-box", low=-1.0, high=1.0))'
        "(x)",
    ),
    "label": ({"label": 3}, "target=3"),
    "a text": ({"classes": "runner-up"}, 'target="runner-up"'),
    "a pair": ({"y": (1, 2)}, "target=(1, 2)"),
    "labels": ({"labels": torch.tensor([0, 1, 2])}, "target=labels"),
    "capture": ({"capture": "per-input"}, "relprop.Explainer(model, capture='per-input')(x)"),
    "layer": ({"layer": ["0"]}, '"layers"'),
    "batchsize": ({"batchsize": 1}, '"batch_size"'),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_option_that_a_call_does_not_have(name):
    options, line = UNKNOWN[name]
    with pytest.raises(relprop.RelpropError) as error:
        relprop.Explainer(NET)(X, **options)
    assert error.value.todo == f"write {line}"
    names = {"model": NET, "x": X, "relprop": relprop, "recipe": Recipe.preset("gamma")} | options
    if line.startswith("relprop."):
        assert eval(line, names).relevance.abs().sum() > 0
    if line.startswith("target="):
        assert eval(f"relprop.explain(model, x, {line})", names).relevance.abs().sum() > 0


def test_a_parameter_is_that_of_the_recipe_where_it_has_it():
    explainer = relprop.Explainer(NET, Recipe.preset("epsilon-plus", epsilon=0.5))
    with pytest.raises(relprop.RelpropError, match=r'preset\("epsilon-plus", epsilon=0.1\)'):
        explainer(X, epsilon=0.1)


@pytest.mark.parametrize("name", ["input", "baseline", "device", "mask", "n_steps", "attribute"])
def test_an_option_that_is_like_none_proposes_none(name):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.Explainer(NET)(X, **{name: 1})
    assert error.value.todo == "choose one of these"


@pytest.mark.parametrize("option", [{"progress": True}, {"prepare": lambda batch: (batch, None)}])
def test_an_option_of_map(option):
    explainer, (name,) = relprop.Explainer(NET), option
    with pytest.raises(relprop.RelpropError, match=f"{name}= in a call") as error:
        explainer(X, **option)
    names = {"explainer": explainer, "batches": [X]} | option
    (e,) = eval(error.value.todo.removeprefix("write "), names)
    assert e.relevance.equal(explainer(X).relevance)


# What is given in the place of a recipe, and the call that is proposed.
NO_RECIPE = {
    "a class": (2, "relprop.Explainer(model)(x, target=2)"),
    "a text": ("runner-up", 'relprop.Explainer(model)(x, target="runner-up")'),
    "a pair": ((1, 2), "relprop.Explainer(model)(x, target=(1, 2))"),
    "labels": (torch.tensor([0, 1, 2]), "relprop.Explainer(model)(x, target=labels)"),
    "a function": (lambda o: o[:, 1], "relprop.Explainer(model)(x, target=function)"),
    "an entry": (relprop.at(1), "relprop.Explainer(model)(x, target=target)"),
    "none": (None, 'recipe="auto"'),
    "a model": (NET, 'recipe="epsilon-plus"'),
}


@pytest.mark.parametrize("name", NO_RECIPE)
def test_a_target_in_the_place_of_a_recipe(name):
    given, line = NO_RECIPE[name]
    with pytest.raises(relprop.RelpropError, match="recipe") as error:
        relprop.explain(NET, X, given)
    assert error.value.todo.endswith(line)
    names = dict.fromkeys(("labels", "function", "target"), given)
    if "target" in line:
        e = eval(line, names | {"model": NET, "x": X, "relprop": relprop})
        assert e.relevance.equal(relprop.explain(NET, X, target=given).relevance)


# Layers and conditions in another form, and the line that is proposed.
FORMS = {
    "a module": ({"layers": NET[1]}, 'layers=["1"]'),
    "modules": ({"layers": ["0", NET[1]]}, 'layers=["0", "1"]'),
    "a set": ({"layers": {"1", "0"}}, 'layers=["0", "1"]'),
    "a number": ({"layers": 1}, 'layers=["1"]'),
    "numbers": ({"layers": [0, 1]}, 'layers=["0", "1"]'),
    "all": ({"layers": "all"}, 'layers=["*"]'),
    "True": ({"layers": True}, 'layers=["*"]'),
    "none": ({"layers": None}, 'layers=["*"]'),
    "a name": ({"conditions": "0"}, 'conditions={"0": [0]}'),
    "names": ({"conditions": ["0", "1"]}, 'conditions={"0": [0], "1": [0]}'),
    "a name and a channel": ({"conditions": ("0", 1)}, 'conditions={"0": 1}'),
    "a name and channels": ({"conditions": ["0", [1]]}, 'conditions={"0": [1]}'),
    "a number and channels": ({"conditions": {0: [1]}}, 'conditions={"0": [1]}'),
    "a module and channels": ({"conditions": {NET[0]: [1]}}, 'conditions={"0": [1]}'),
    "a module alone": ({"conditions": NET[0]}, 'conditions={"0": [0]}'),
    "booleans": ({"conditions": {"0": [False, True]}}, 'conditions={"0": [1]}'),
    "a mask of channels": (
        {"conditions": {"0": torch.tensor([False, True])}},
        'conditions={"0": mask.nonzero().flatten().tolist()}',
    ),
    "a mask of floats": (
        {"conditions": {"0": torch.tensor([0.0, 1.0])}},
        'conditions={"0": mask.nonzero().flatten().tolist()}',
    ),
    "a mask of another shape": ({"conditions": {"0": torch.ones(5)}}, 'conditions={"0": [0]}'),
    "an empty mask": ({"conditions": {"0": torch.zeros(2)}}, 'conditions={"0": [0]}'),
}


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")
@pytest.mark.parametrize("name", FORMS)
def test_layers_and_conditions_in_another_form(name):
    options, line = FORMS[name]
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(NET, X, **options)
    assert error.value.todo == f"write {line}"
    names = {"NET": NET, "X": X, "relprop": relprop, "mask": torch.tensor([0.0, 1.0])}
    assert eval(f"relprop.explain(NET, X, {line})", names).relevance.shape == X.shape
