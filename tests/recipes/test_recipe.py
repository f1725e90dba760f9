"""Recipes: the printed table, comparison and copies."""

import copy
import pickle

import pytest
import torch

import relprop
from relprop import Recipe
from relprop.recipes.presets import PRESETS


def test_a_recipe_prints_as_its_table():
    recipe = Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0).using("f.*", "flat")
    rows = [line[2:] for line in str(recipe).splitlines()[1:]]
    assert [(row[:36].strip(), row[36:].strip()) for row in rows] == [
        ('"f.*"', "flat"),
        ("any first convolution", "z-box(low=0, high=1)"),
        ("any convolution", "gamma(gamma=0.25)"),
        ("any linear", "epsilon(epsilon=1e-06, relative=False)"),
        ("any average-pool", "epsilon(epsilon=1e-06, relative=False)"),
        ("any softmax", "taylor"),
        ("any attention", "attnlrp"),
        ("any product or matmul", "uniform"),
        ("any gate", "constant-gate"),
        ("any normalisation", "constant-statistics"),
        ("any recurrent", "signal-takes-all(epsilon=0.001)"),
    ]


def test_recipes_are_compared_copied_and_pickled():
    recipe = Recipe.preset("gamma", gamma=0.1).using("a", "flat")
    for other in (copy.deepcopy(recipe), pickle.loads(pickle.dumps(recipe))):
        assert other == recipe
        assert hash(other) == hash(recipe)


def test_recipes_with_bounds_for_each_channel_are_compared():
    def box(low):
        return Recipe.preset(
            "epsilon-gamma-box", low=torch.tensor(low), high=torch.tensor([2.0, 3])
        )

    assert box([0.0, -1.0]) == box([0.0, -1.0])
    assert hash(box([0.0, -1.0])) == hash(box([0.0, -1.0]))
    assert box([0.0, -1.0]) != box([0.0, -2.0])
    assert box([0.0, -1.0]) != box(0.0)
    assert Recipe.preset("zero").using("*", "z-box", low=0.0, high=1.0) != Recipe.preset("zero")


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "epsilon-gamma-box"])
def test_a_preset_is_written_by_its_name(name):
    recipe = Recipe.preset(name)
    assert eval(recipe.as_written, {"relprop": relprop}) == recipe
    assert recipe.resolved(["attention"]).as_written == recipe.as_written


def test_what_the_user_made_is_called_recipe():
    rows = Recipe.preset("zero").rows
    box = Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0)
    for recipe in (
        Recipe.preset("zero").using("0", "gamma"),
        Recipe.preset("auto").using("0", "gamma").resolved(["attention"]),
        Recipe.preset("gamma", gamma=0.1),
        Recipe("epsilon", rows),
        Recipe("epsilon-gamma-box", box.rows),
        box,
    ):
        assert recipe.as_written == "recipe"
