"""The report: the chosen recipe beside all that it is compared with, on samples kept for that.

Takes a setting and a recipe. Gives scores with paired intervals. Must not know the search.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import RelpropError, first_line
from ..evaluate.statistics.paired_test import paired_test
from ..support.estimates import bootstrap_mean
from .methods import Methods, explain_by
from .objective import JudgedSamples
from .result import ClassGain, MethodScore, ScoresUnderFill
from .select import ChosenRecipe
from .setting import TuningSetting

_LEAST_OF_CLASS = 5  # samples, below which nothing is said of a class

Measured = Mapping[tuple[str, str], Tensor]  # measure and fill -> one number per sample


@dataclass(frozen=True)
class TuningReport:
    """What was measured on the report samples.

    Attributes:
        scores: By measure and fill.
        by_class: Gain over the reference for each class; empty without classes.
        methods: What was compared: but methods that failed on these samples.
    """

    scores: tuple[ScoresUnderFill, ...]
    by_class: tuple[ClassGain, ...]
    methods: Methods


def report_recipe(setting: TuningSetting, chosen: ChosenRecipe) -> TuningReport:
    """Measure a recipe and everything it is compared with on the report samples.

    Args:
        setting: What is tuned on what.
        chosen: The recipe.
    """
    judging, explainer = setting.judging, setting.explainer
    judging = replace(judging, fills={**judging.fills, **setting.other_fills})
    samples = setting.part(setting.parts.report, judging)
    tuned = samples.measure(explain_by(explainer, chosen.recipe, judging.batch_size))
    found, methods = _measure_all(setting, samples, chosen.methods)
    scores = [
        _under_fill(key, values, found, not key[1] or key[1] in setting.judging.fills)
        for key, values in tuned.items()
    ]
    order = {name: place for place, name in enumerate(judging.measures)}
    scores.sort(key=lambda one: (order[one.measure], not one.tuned_for))
    first = [s for s in scores if s.measure == judging.measures[0] and s.tuned_for]
    lowest = min(first, key=lambda one: one.tuned.mean)
    key = lowest.measure, lowest.fill
    if chosen.reference not in found:
        return TuningReport(tuple(scores), (), methods)
    differences = tuned[key] - found[chosen.reference][key]
    return TuningReport(tuple(scores), gains_by_class(differences, samples.target), methods)


def _measure_all(
    setting: TuningSetting, samples: JudgedSamples, methods: Methods
) -> tuple[dict[str, Measured], Methods]:
    """Measure all methods; return what was measured, and the methods but those that fail."""
    explains = {
        name: explain_by(setting.explainer, methods.presets[name], setting.judging.batch_size)
        for name in dict.fromkeys(methods.same_as.values())
    }
    measured, failed = dict[str, Measured](), dict[str, str]()
    for name, explain in {**explains, **methods.others}.items():
        try:
            measured[name] = samples.measure(explain)
        except RelpropError as error:
            failed[name] = first_line(error)
    methods = methods.without(failed)
    found = {name: measured[same] for name, same in methods.same_as.items()}
    return found | {name: measured[name] for name in methods.others}, methods


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
