"""The record of a tuned recipe: what was found, and what it gains on samples kept for that.

Frozen records that can be printed and written as JSON. Must not know how they came about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..evaluate.statistics.paired_test import PairedTest
from ..recipes.recipe import Recipe
from ..support.estimates import Estimate


@dataclass(frozen=True)
class MethodScore:
    """A method on the report samples, beside the tuned recipe.

    Attributes:
        method: A preset, or a method that needs no rules.
        score: Its mean.
        gain: The tuned recipe minus it, on the same samples.
    """

    method: str
    score: Estimate
    gain: PairedTest


@dataclass(frozen=True)
class ScoresUnderFill:
    """The tuned recipe and all other methods on the report samples, under one fill.

    Attributes:
        measure: Name of the measure.
        fill: Name of the fill; "" for measures that remove nothing.
        tuned_for: Whether the recipe was tuned under it.
        tuned: Mean of the tuned recipe.
        methods: The others.
    """

    measure: str
    fill: str
    tuned_for: bool
    tuned: Estimate
    methods: tuple[MethodScore, ...]

    def best(self, presets: tuple[str, ...]) -> MethodScore:
        """Return the one of these methods with the highest mean."""
        return max((one for one in self.methods if one.method in presets), key=_mean)


@dataclass(frozen=True)
class ClassGain:
    """What the tuned recipe gains on the samples of one predicted class.

    Attributes:
        number: Number of the class.
        gain: Tuned minus the preset that is best on the selection samples.
    """

    number: int
    gain: PairedTest


@dataclass(frozen=True)
class FrontRecipe:
    """A recipe that no other one beats in all objectives, on the selection samples.

    Attributes:
        name: What it is: a trial by its number, or a preset.
        recipe: The recipe.
        scores: The mean of each objective.
    """

    name: str
    recipe: Recipe
    scores: tuple[float, ...]


@dataclass(frozen=True)
class TunedRecipe:
    """A recipe that was found by search, and what it gains on samples kept for that. Print it.

    Attributes:
        recipe: The recipe; `recipe.to_toml()` writes it.
        origin: What it is: "trial 37", or the name of a preset that nothing beat.
        objectives: What was searched for, the one that decided first.
        parts: Number of samples to search, to select and to report on.
        trials: Recipes that were tried.
        stopped_early: How many of them successive halving stopped.
        reference: The preset that is best on the selection samples.
        presets: Names of the presets that the model can be explained by.
        left_out: Method -> why it is not compared: it cannot be planned, or failed when it ran.
            Recipes of the search that failed are an entry by their number.
        scores: On the report samples, by measure and fill.
        by_class: Gain over `reference` for each predicted class; empty without classes.
        front: With several objectives: the recipes that no other one beats in all of them.
    """

    recipe: Recipe
    origin: str
    objectives: tuple[str, ...]
    parts: tuple[int, int, int]
    trials: int
    stopped_early: int
    reference: str
    presets: tuple[str, ...]
    left_out: Mapping[str, str]
    scores: tuple[ScoresUnderFill, ...]
    by_class: tuple[ClassGain, ...]
    front: tuple[FrontRecipe, ...] = ()

    @property
    def gains(self) -> Mapping[str, PairedTest]:
        """Gain over each method in the first objective.

        Of several fills tuned for, under that in which the tuned recipe is worst: it counts.
        """
        return {one.method: one.gain for one in self.decisive.methods}

    @property
    def decisive(self) -> ScoresUnderFill:
        """Scores in the first objective, under the fill tuned for in which the mean is lowest."""
        first = (s for s in self.scores if s.measure == self.objectives[0] and s.tuned_for)
        return min(first, key=lambda one: one.tuned.mean)

    @property
    def beats_every_preset(self) -> bool:
        """Whether the interval of the gain over each preset is above zero."""
        return all(is_above_zero(self.gains[name]) for name in self.presets)

    @property
    def verdict(self) -> str:
        """What the report samples say, in a sentence."""
        if self.origin in self.presets:
            return f"No recipe of the search was better than the preset {self.origin}: use that."
        best = self.decisive.best(self.presets)
        if self.beats_every_preset:
            return f"Better than every preset{self._where}; than {best.method} by {best.gain}."
        named = [name for name in self.presets if not is_above_zero(self.gains[name])]
        worse = ", ".join(named)
        return f"Not shown to be better{self._where} than {worse}: {best.method} {best.gain}."

    @property
    def _where(self) -> str:
        fills = [s for s in self.scores if s.measure == self.objectives[0] and s.tuned_for]
        return f" under the fill {self.decisive.fill}, the worst" if len(fills) > 1 else ""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        return {
            "recipe": self.recipe.to_toml(),
            "origin": self.origin,
            "verdict": self.verdict,
            "objectives": list(self.objectives),
            "samples": dict(zip(("search", "selection", "report"), self.parts, strict=True)),
            "trials": self.trials,
            "stopped_early": self.stopped_early,
            "reference": self.reference,
            "left_out": dict(self.left_out),
            "scores": [_scores(one) for one in self.scores],
            "by_class": [{"class": one.number, **_test(one.gain)} for one in self.by_class],
            "front": [
                {"name": one.name, "scores": list(one.scores), "recipe": one.recipe.to_toml()}
                for one in self.front
            ],
        }

    def __str__(self) -> str:
        search, selection, report = self.parts
        lines = [
            f"{self.origin} of {self.trials:,} recipes ({self.stopped_early:,} stopped early), "
            f"searched on {search:,} samples, selected on {selection:,}, reported on {report:,}",
            self.verdict,
        ]
        for one in self.scores:
            lines += ["", *_table(one)]
        if self.left_out:
            lines += ["", "not compared"]
            lines += [f"  {name}: {why}" for name, why in self.left_out.items()]
        lines += ["", str(self.recipe)]
        return "\n".join(lines)


def is_above_zero(gain: PairedTest) -> bool:
    """Tell whether the interval of a gain is above zero."""
    interval = gain.difference.interval
    return interval is not None and interval.low > 0


def _mean(one: MethodScore) -> float:
    return one.score.mean


def _table(scores: ScoresUnderFill) -> list[str]:
    """Write the methods under one fill as lines, the best first."""
    fill = f", fill {scores.fill}" if scores.fill else ""
    head = f"{scores.measure}{fill}{'' if scores.tuned_for else ' (not tuned for)'}"
    rows = [("tuned", str(scores.tuned), "")]
    methods = sorted(scores.methods, key=_mean, reverse=True)
    rows += [(one.method, str(one.score), str(one.gain)) for one in methods]
    table = [(head, "mean", "gain of the tuned recipe"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(2)]
    return [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}".rstrip() for a, b, c in table]


def _scores(scores: ScoresUnderFill) -> dict[str, Any]:
    methods = [{"method": m.method, **_estimate(m.score), **_test(m.gain)} for m in scores.methods]
    return {
        "measure": scores.measure,
        "fill": scores.fill,
        "tuned_for": scores.tuned_for,
        "tuned": _estimate(scores.tuned),
        "methods": methods,
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    interval = estimate.interval
    ends = None if interval is None else [interval.low, interval.high]
    return {"mean": estimate.mean, "interval": ends, "n": estimate.n}


def _test(test: PairedTest) -> dict[str, Any]:
    interval = test.difference.interval
    ends = None if interval is None else [interval.low, interval.high]
    return {"gain": test.difference.mean, "gain_interval": ends, "p_value": test.p_value}
