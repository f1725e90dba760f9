"""Selection: the best of the search and of all presets, on samples that the search has not seen.

Takes a setting and the trials of a search. Gives the chosen recipe. Must not know the report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError, RelpropError, first_line
from ..recipes.recipe import Recipe
from .methods import Methods, explain_by
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
        methods: What it is compared with: but presets that failed on these samples.
    """

    name: str
    recipe: Recipe
    reference: str
    front: tuple[FrontRecipe, ...]
    methods: Methods


def select_recipe(setting: TuningSetting, trials: Sequence[TrialScore]) -> ChosenRecipe:
    """Choose the recipe with the highest first objective on the selection samples.

    Args:
        setting: What is tuned on what.
        trials: Those of the search, the best first.
    """
    presets = {name: setting.methods.presets[name] for name in setting.methods.same_as.values()}
    several = len(setting.judging.measures) > 1
    kept = _front(trials) if several else trials[:CANDIDATES]
    # presets first: of equal scores they are chosen, being known
    recipes = presets | {f"trial {one.number}": one.recipe for one in kept}
    scores, failed = _score_all(setting, recipes)
    if not presets.keys() & scores.keys():
        given = f"presets that all fail: {'; '.join(failed.values())}"
        raise InputError(given, "a model that one preset explains", "print the plan of the model")
    best = max(scores, key=lambda name: scores[name])
    reference = max((name for name in scores if name in presets), key=lambda name: scores[name])
    front = _undominated(scores) if several else []
    return ChosenRecipe(
        best,
        recipes[best],
        reference,
        tuple(FrontRecipe(name, recipes[name], scores[name]) for name in front),
        setting.methods.without({n: why for n, why in failed.items() if n in presets}),
    )


def _score_all(
    setting: TuningSetting, recipes: Mapping[str, Recipe]
) -> tuple[dict[str, tuple[float, ...]], dict[str, str]]:
    """Score recipes on the selection samples; return scores, and why others have none."""
    samples = setting.part(setting.parts.selection, setting.judging)
    scores, failed = dict[str, tuple[float, ...]](), dict[str, str]()
    for name, recipe in recipes.items():
        try:
            scores[name] = _scores(setting, samples, recipe)
        except RelpropError as error:
            failed[name] = first_line(error)
    return scores, failed


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
