"""Recipes as TOML and JSON."""

import json
import tomllib

import numpy as np
import pytest
import torch

import relprop
from relprop import Recipe, Selector
from relprop.recipes.presets import PRESETS

BOUNDED = {"low": torch.tensor([[[0.0]], [[-1.5]]]), "high": 2.5}
MINE = (
    Recipe.preset("auto")
    .using("layer1.*", "epsilon", epsilon=0.5, relative=True)
    .using(Selector(type="Conv2d", kinds=("convolution",), depth="<= 0.3"), "gamma", gamma=0.1)
    .using(Selector(depth="first"), "flat")
    .using(Selector(operation="detach"), "constant")
)
RECIPES = {
    **{name: Recipe.preset(name, **(BOUNDED if "box" in name else {})) for name in PRESETS},
    "mine": MINE,
}


@pytest.mark.parametrize("name", RECIPES)
def test_there_and_back(name):
    recipe = RECIPES[name]
    for back in (Recipe.from_toml(recipe.to_toml()), Recipe.from_json(recipe.to_json())):
        assert back == recipe
        assert str(back) == str(recipe)


BOUNDS = [
    torch.tensor([[[0.1]], [[-1.5]]], dtype=torch.float32),
    torch.tensor([[[0.1]], [[-1.5]]], dtype=torch.float64),
    torch.tensor([[[1 / 3]], [[-torch.pi]]], dtype=torch.float16),
    torch.tensor(-0.1, dtype=torch.float64),  # without dimensions
    torch.tensor([[[-3]], [[-4]]]),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: str(bound.dtype))
@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_tensors_keep_their_dtype_shape_and_values(bound, default):
    recipe = Recipe.preset("epsilon-gamma-box", low=bound, high=0.7)
    texts = recipe.to_toml(), recipe.to_json()
    torch.set_default_dtype(default)
    try:
        loaded = Recipe.from_toml(texts[0]), Recipe.from_json(texts[1])
    finally:
        torch.set_default_dtype(torch.float32)
    for back in loaded:
        low = back.rows[0].rule.parameters["low"]
        assert (low.dtype, low.shape) == (bound.dtype, bound.shape)
        assert low.equal(bound)
        assert back == recipe


def test_numbers_of_numpy_are_written_as_numbers():
    recipe = Recipe.preset("gamma", gamma=np.float32(0.1))
    for back in (Recipe.from_toml(recipe.to_toml()), Recipe.from_json(recipe.to_json())):
        assert back.rows == recipe.rows


def test_kinds_in_a_list_are_those_in_a_tuple():
    recipe = Recipe.preset("zero").using(Selector(kinds=["linear"]), "flat")
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert hash(recipe.rows[0].selector) == hash(Selector(kinds=("linear",)))


OLD_TOML = """
name = "zero"
automatic = false

[[rows]]
kinds = [
    "convolution",
]
depth = "first"
required = true
rule = "z-box"
low = [[[0.1]], [[-1.5]]]
high = [[[3]], [[4]]]
"""


def test_lists_without_a_dtype_still_load():
    """Tensors were written as plain lists before they were written with their dtype."""
    old_json = json.dumps(tomllib.loads(OLD_TOML))
    for recipe in (Recipe.from_toml(OLD_TOML), Recipe.from_json(old_json)):
        parameters = recipe.rows[0].rule.parameters
        assert parameters["low"].equal(torch.tensor([[[0.1]], [[-1.5]]]))
        assert parameters["low"].dtype is torch.float32
        assert parameters["high"].equal(torch.tensor([[[3]], [[4]]]))
        assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_the_text_is_toml_and_json_that_a_person_can_write():
    assert tomllib.loads(MINE.to_toml()) == json.loads(MINE.to_json())
    written = """
        name = "mine"
        [[rows]]
        name = "head"
        rule = "epsilon"
        epsilon = 0.25
        [[rows]]
        kinds = "linear"
        rule = "zero"
    """
    recipe = Recipe.from_toml(written)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)).eval()
    plan = relprop.Explainer(model, recipe).plan(torch.ones(1, 3))
    assert [step.rule.name for step in plan.steps] == ["zero", "zero"]
    assert dict(recipe.rows[0].rule.parameters) == {"epsilon": 0.25, "relative": False}


BOX = '[[rows]]\nrule = "z-box"\nhigh = 1.0\n'


@pytest.mark.parametrize(
    ("read", "text", "given"),
    [
        (Recipe.from_toml, "name = ", "not TOML"),
        (Recipe.from_json, "{", "not JSON"),
        (Recipe.from_json, "[]", "without rows"),
        (Recipe.from_json, "{}", "without rows"),
        (Recipe.from_toml, "", "without rows"),
        (Recipe.from_toml, "name = 3", "without rows"),
        (Recipe.from_toml, 'rows = "all"', "without rows"),
        (Recipe.from_toml, 'colour = "red"', "'colour'"),
        (Recipe.from_toml, "automatic = 1", "automatic = 1"),
        (Recipe.from_toml, '[[rows]]\nname = "a"', "row 1 without a rule"),
        (Recipe.from_toml, '[[rows]]\nrule = "gama"', "'gama'"),
        (Recipe.from_toml, '[[rows]]\nrule = "gamma"\ngama = 1.0', "'gama'"),
        (Recipe.from_toml, '[[rows]]\nrule = "gamma"\ngamma = "1"', "gamma = '1'"),
        (Recipe.from_toml, '[[rows]]\nrule = "zero"\ndepth = "deep"', "'deep'"),
        (Recipe.from_toml, '[[rows]]\nrule = "zero"\nkinds = ["conv"]', "'conv'"),
        (Recipe.from_toml, BOX + "low = [[0.0], [0.0, 1.0]]", "low with [[0.0], [0.0, 1.0]]"),
        (Recipe.from_toml, BOX + 'low = { dtype = "float23", values = 0 }', "'float23' of low"),
        (Recipe.from_toml, BOX + 'low = { dtype = "zeros", values = 0 }', "'zeros' of low"),
        (Recipe.from_toml, BOX + 'low = { dtype = "float32" }', "low = {'dtype': 'float32'}"),
        (Recipe.from_toml, BOX + 'low = { dtype = "float32", values = "a" }', "low with 'a'"),
        # nested too deep, numbers too large, and values of other types
        (Recipe.from_toml, "name = " + "[" * 100_000 + "]" * 100_000, "not TOML"),
        (Recipe.from_json, "[" * 100_000, "not JSON"),
        (Recipe.from_toml, "name = " + "9" * 5000, "not TOML"),
        (Recipe.from_json, "9" * 5000, "not JSON"),
        (Recipe.from_toml, f'[[rows]]\nrule = "gamma"\ngamma = {10**400}', "gamma = 1000"),
        (Recipe.from_toml, f'[[rows]]\nrule = "gamma"\ngamma = {10**30}', "gamma = 1000"),
        (Recipe.from_toml, BOX + f"low = {-(10**30)}", "low = -1000"),
        (Recipe.from_toml, BOX + f"low = [{-(10**400)}]", "low with [-1000"),
        (Recipe.from_toml, BOX + 'low = { dtype = "int8", values = [-300] }', "low with [-300]"),
        (Recipe.from_toml, BOX + "low = " + "[" * 70 + "0.0" + "]" * 70, "low with [[[["),
        (Recipe.from_toml, BOX + "low = 1979-05-27", "low = datetime.date(1979, 5, 27)"),
        (Recipe.from_toml, "rows = [1]", "row 1 without a rule"),
        (Recipe.from_toml, "[[rows]]\nrule = []", "unknown rule []"),
        (Recipe.from_toml, '[[rows]]\nrule = "zero"\nrequired = 1', "required = 1"),
        (Recipe.from_toml, '[[rows]]\nrule = "zero"\nkinds = 3', "the kind 3"),
        (Recipe.from_toml, '[[rows]]\nrule = "zero"\ntype = 3', "type=3"),
        (Recipe.from_toml, '[[rows]]\nrule = "zero"\ndepth = []', "the depth []"),
        (Recipe.from_toml, 'name = 3\n[[rows]]\nrule = "zero"', "name = 3"),
    ],
)
def test_text_that_is_no_recipe(read, text, given):
    with pytest.raises(relprop.RelpropError) as error:
        read(text)
    assert given in error.value.given
    assert error.value.todo


def test_a_rule_of_ones_own_stays_in_code():
    own = relprop.rule()(lambda step: None)
    with pytest.raises(relprop.RelpropError, match=r"made by relprop\.rule"):
        Recipe.preset("zero").using("*", own).to_toml()


def test_the_line_for_an_integer_that_is_too_large_is_right():
    with pytest.raises(relprop.RelpropError) as error:
        Recipe.preset("gamma", gamma=10**30)
    assert error.value.todo == "write gamma=1e+30"
    model = torch.nn.Sequential(torch.nn.Linear(3, 2)).eval()
    recipe = Recipe.preset("gamma", gamma=float("1e+30"))
    assert relprop.explain(model, torch.ones(1, 3), recipe).relevance.isfinite().all()
