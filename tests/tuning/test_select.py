"""Selection on samples that the search has not seen."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import relprop
from relprop import Recipe
from relprop.errors import RuleError
from relprop.tuning.objective import Judging
from relprop.tuning.report import report_recipe
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


def with_preset(setting, least):
    """Add a preset with a rule that fails on batches of so many samples, and one that equals it."""

    @relprop.rule(kinds=("linear",))
    def failing(layer):
        if len(layer.x) >= least:
            raise RuleError(f"a batch of {len(layer.x)}", f"fewer than {least}", "give fewer")
        return relprop.Back(lambda c: layer.transpose(c, layer.weights), lambda c: {})

    own = Recipe.preset("zero").using("0", failing)
    methods = setting.methods
    presets = {**methods.presets, "own": own, "same": own}
    same_as = {**methods.same_as, "own": "own", "same": "own"}
    return replace(setting, methods=replace(methods, presets=presets, same_as=same_as))


def test_a_preset_that_fails_on_the_selection_samples_is_left_out(setting):
    chosen = select_recipe(with_preset(setting, 15), [trial(0, Recipe.preset("gamma"), 1.0)])
    assert chosen.methods.left_out == dict.fromkeys(("own", "same"), "a batch of 15")
    assert chosen.methods.presets.keys() == setting.methods.presets.keys()
    assert chosen.name == select_recipe(setting, []).name


def test_a_preset_that_fails_on_the_report_samples_is_left_out(setting):
    other = with_preset(setting, 16)
    chosen = select_recipe(other, [])
    assert {"own", "same"} <= chosen.methods.presets.keys()
    report = report_recipe(other, chosen)
    assert report.methods.left_out == dict.fromkeys(("own", "same"), "a batch of 30")
    assert report.scores == report_recipe(setting, select_recipe(setting, [])).scores


def test_no_preset_that_runs_is_an_error(setting):
    failing = with_preset(setting, 1)
    methods = failing.methods
    only = replace(methods, presets={"own": methods.presets["own"]}, same_as={"own": "own"})
    with pytest.raises(relprop.RelpropError, match=r"all fail: a batch of 1\n"):
        select_recipe(replace(failing, methods=only), [])
