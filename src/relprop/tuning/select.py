"""Selection: the best of the search and of all presets, on samples that the search has not seen.

Takes a setting and the trials of a search. Gives the chosen recipe. Must not know the report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..recipes.recipe import Recipe
from .methods import explain_by
from .objective import JudgedSamples
from .result import FrontRecipe
from .setting import TuningSetting, objectives_of
from .study import TrialScore

CANDIDATES = 10  # of the search, beside the presets


@dataclass(frozen=True)
class ChosenRecipe:
    """The recipe that was selected.

    Attributes:
        name: What it is: a trial by its number, or a preset.
        recipe: The recipe.
        reference: The preset that is best on the same samples.
        front: The recipes that no other one beats in all objectives; of one objective none.
    """

    name: str
    recipe: Recipe
    reference: str
    front: tuple[FrontRecipe, ...]


def select_recipe(setting: TuningSetting, trials: Sequence[TrialScore]) -> ChosenRecipe:
    """Choose the recipe with the highest first objective on the selection samples.

    Args:
        setting: What is tuned on what.
        trials: Those of the search, the best first.
    """
    presets = setting.methods.presets
    several = len(setting.judging.measures) > 1
    kept = _front(trials) if several else trials[:CANDIDATES]
    # presets first: of equal scores they are chosen, being known
    recipes = dict(presets) | {f"trial {one.number}": one.recipe for one in kept}
    samples = setting.part(setting.parts.selection, setting.judging)
    scores = {name: _scores(setting, samples, recipe) for name, recipe in recipes.items()}
    best = max(recipes, key=lambda name: scores[name])
    reference = max(presets, key=lambda name: scores[name])
    front = _undominated(scores) if several else []
    return ChosenRecipe(
        best,
        recipes[best],
        reference,
        tuple(FrontRecipe(name, recipes[name], scores[name]) for name in front),
    )


def _scores(setting: TuningSetting, samples: JudgedSamples, recipe: Recipe) -> tuple[float, ...]:
    found = samples.measure(explain_by(setting.explainer, recipe, setting.judging.batch_size))
    means = {key: float(values.mean()) for key, values in found.items()}
    return objectives_of(means, setting.judging.measures)


def _front(trials: Sequence[TrialScore]) -> list[TrialScore]:
    """Return the trials that no other one beats in all objectives."""
    scores = {str(one.number): one.scores for one in trials}
    kept = set(_undominated(scores))
    return [one for one in trials if str(one.number) in kept]


def _undominated(scores: Mapping[str, tuple[float, ...]]) -> list[str]:
    """Return the names of points that no other point beats; of equal points the first."""
    first = {mine: name for name, mine in reversed(list(scores.items()))}

    def beaten(mine: tuple[float, ...]) -> bool:
        others = (other for other in first if other != mine)
        return any(all(a >= b for a, b in zip(other, mine, strict=True)) for other in others)

    return [name for name, mine in scores.items() if first[mine] == name and not beaten(mine)]
