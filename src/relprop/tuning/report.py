"""The report: the chosen recipe beside all that it is compared with, on samples kept for that.

Takes a setting and a recipe. Gives scores with paired intervals. Must not know the search.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ..evaluate.statistics.paired_test import paired_test
from ..support.estimates import bootstrap_mean
from .methods import explain_by
from .result import ClassGain, MethodScore, ScoresUnderFill
from .select import ChosenRecipe
from .setting import TuningSetting

_LEAST_OF_CLASS = 5  # samples, below which nothing is said of a class

Measured = Mapping[tuple[str, str], Tensor]  # measure and fill -> one number per sample


def report_recipe(
    setting: TuningSetting, chosen: ChosenRecipe
) -> tuple[tuple[ScoresUnderFill, ...], tuple[ClassGain, ...]]:
    """Measure a recipe and everything it is compared with on the report samples.

    Args:
        setting: What is tuned on what.
        chosen: The recipe.
    """
    judging, explainer = setting.judging, setting.explainer
    judging = replace(judging, fills={**judging.fills, **setting.other_fills})
    samples = setting.part(setting.parts.report, judging)
    tuned = samples.measure(explain_by(explainer, chosen.recipe, judging.batch_size))
    methods, size = setting.methods, judging.batch_size
    distinct = {
        name: explain_by(explainer, methods.presets[name], size)
        for name in set(methods.same_as.values())
    }
    measured = {name: samples.measure(one) for name, one in distinct.items()}
    found = {name: measured[same] for name, same in methods.same_as.items()}
    found |= {name: samples.measure(explain) for name, explain in methods.others.items()}
    scores = [
        _under_fill(key, values, found, not key[1] or key[1] in setting.judging.fills)
        for key, values in tuned.items()
    ]
    order = {name: place for place, name in enumerate(judging.measures)}
    scores.sort(key=lambda one: (order[one.measure], not one.tuned_for))
    first = [s for s in scores if s.measure == judging.measures[0] and s.tuned_for]
    lowest = min(first, key=lambda one: one.tuned.mean)
    key = lowest.measure, lowest.fill
    differences = tuned[key] - found[chosen.reference][key]
    return tuple(scores), gains_by_class(differences, samples.target)


def _under_fill(
    key: tuple[str, str], values: Tensor, found: Mapping[str, Measured], tuned_for: bool
) -> ScoresUnderFill:
    methods = (
        MethodScore(name, bootstrap_mean(other[key]), paired_test(values, other[key]))
        for name, other in found.items()
    )
    return ScoresUnderFill(*key, tuned_for, bootstrap_mean(values), tuple(methods))


def gains_by_class(differences: Tensor, classes: Tensor | None) -> tuple[ClassGain, ...]:
    """Test the gain on the samples of each class that has five at least.

    Args:
        differences: Tuned minus reference of each sample, (n,).
        classes: Class of each, (n,); None: there are none.
    """
    if classes is None:
        return ()
    made = []
    for number in torch.unique(classes).tolist():
        of_class = differences[(classes == number).cpu()]
        if len(of_class) >= _LEAST_OF_CLASS:
            made.append(ClassGain(number, paired_test(of_class, torch.zeros_like(of_class))))
    return tuple(made)
