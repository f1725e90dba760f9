"""Selection on samples that the search has not seen."""

import pytest
import torch
from torch import nn

from relprop import Recipe
from relprop.tuning.objective import Judging
from relprop.tuning.select import select_recipe
from relprop.tuning.setting import objectives_of, prepare_tuning
from relprop.tuning.study import TrialScore


@pytest.fixture(scope="module")
def setting():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)).double().eval()
    x = torch.randn(60, 6, dtype=torch.float64)
    return prepare_tuning(model, x, None, Judging(("srg",), {}, steps=6), "zero", (), None)


def trial(number, recipe, score):
    return TrialScore(number, recipe, (score,))


def mean_on_selection(setting, recipe):
    from relprop.tuning.methods import explain_by

    samples = setting.part(setting.parts.selection, setting.judging)
    found = samples.measure(explain_by(setting.explainer, recipe, 64))
    return float(found["srg", "zero"].mean())


def test_a_recipe_that_is_worse_than_a_preset_is_not_chosen(setting):
    bad = Recipe.preset("epsilon-plus-flat")  # of a table, flat tells nothing
    chosen = select_recipe(setting, [trial(0, bad, 9.0)])
    assert chosen.name == chosen.reference
    assert chosen.name in setting.methods.presets
    scores = {n: mean_on_selection(setting, r) for n, r in setting.methods.presets.items()}
    assert scores[chosen.name] == max(scores.values())


def test_the_best_on_the_selection_samples_is_chosen(setting):
    presets = setting.methods.presets
    best = max(presets, key=lambda name: mean_on_selection(setting, presets[name]))
    recipes = [Recipe.preset("epsilon-plus-flat"), presets[best], Recipe.preset("alpha-beta")]
    chosen = select_recipe(setting, [trial(i, one, 3.0 - i) for i, one in enumerate(recipes)])
    assert chosen.recipe == presets[best]
    assert chosen.name == chosen.reference  # of equal scores the preset


def test_of_several_fills_the_worst_mean_counts():
    means = {("srg", "zero"): 0.5, ("srg", "mean"): 0.25, ("morf", "zero"): 0.75}
    assert objectives_of(means, ("srg", "morf")) == (0.25, 0.75)
