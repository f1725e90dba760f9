"""Recipes as TOML and JSON."""

import json
import tomllib

import pytest
import torch

import relprop
from relprop import Recipe, Selector
from relprop.recipes.presets import PRESETS

BOX = {"low": torch.tensor([[[0.0]], [[-1.5]]]), "high": 2.5}
MINE = (
    Recipe.preset("auto")
    .using("layer1.*", "epsilon", epsilon=0.5, relative=True)
    .using(Selector(type="Conv2d", kinds=("convolution",), depth="<= 0.3"), "gamma", gamma=0.1)
    .using(Selector(depth="first"), "flat")
    .using(Selector(operation="detach"), "constant")
)
RECIPES = {
    **{name: Recipe.preset(name, **(BOX if "box" in name else {})) for name in PRESETS},
    "mine": MINE,
}


def same(a: Recipe, b: Recipe) -> bool:
    return str(a) == str(b) and (a.name, a.automatic) == (b.name, b.automatic)


@pytest.mark.parametrize("name", RECIPES)
def test_there_and_back(name):
    recipe = RECIPES[name]
    for back in (Recipe.from_toml(recipe.to_toml()), Recipe.from_json(recipe.to_json())):
        assert same(back, recipe)
        assert [row.selector for row in back.rows] == [row.selector for row in recipe.rows]
        assert [row.required for row in back.rows] == [row.required for row in recipe.rows]
        for got, want in zip(back.rows, recipe.rows, strict=True):
            assert got.rule.name == want.rule.name
            assert got.rule.parameters.keys() == want.rule.parameters.keys()
            for key, value in want.rule.parameters.items():
                assert torch.as_tensor(got.rule.parameters[key]).equal(torch.as_tensor(value))


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


@pytest.mark.parametrize(
    ("read", "text", "given"),
    [
        (Recipe.from_toml, "name = ", "no TOML"),
        (Recipe.from_json, "{", "no JSON"),
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
