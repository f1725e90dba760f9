"""The search: Optuna chooses recipes, successive halving stops those that are behind.

Takes a space and a function that scores a recipe piece by piece. Gives the trials. With a folder,
the study is a journal there, which several processes share and a later call goes on with. Must not
know samples or measures.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ..errors import InputError, RelpropError, first_line
from ..recipes.recipe import Recipe
from ..search.journal import open_journal
from ..search.study import make_sampler
from ..support.extras import needs
from ..support.files import make_folder
from ..support.progress import Progress
from .space import RecipeSpace

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_NAME, _OF, _WHY = "tune", "of", "why it failed"
_FACTOR = 2  # half of the recipes go on after a quarter of the samples, and after half of them

# (recipe) -> the mean of each objective over the pieces so far, piece by piece
ScoreByPiece = Callable[[Recipe], Iterator[Sequence[float]]]


@dataclass(frozen=True)
class TrialScore:
    """A recipe of the search that was scored on all search samples.

    Attributes:
        number: Its number in the study, from 0.
        recipe: The recipe.
        scores: The mean of each objective.
    """

    number: int
    recipe: Recipe
    scores: tuple[float, ...]


@dataclass(frozen=True)
class SearchResult:
    """What came of a search.

    Attributes:
        best: The recipes that were scored on all search samples, the best first.
        trials: Number of recipes that were tried.
        stopped_early: How many of them successive halving stopped.
        failed: "3 of 100 recipes tried" -> why the first of them failed; empty if none did.
    """

    best: tuple[TrialScore, ...]
    trials: int
    stopped_early: int
    failed: Mapping[str, str] = field(default_factory=dict)


def search_recipes(
    space: RecipeSpace,
    score: ScoreByPiece,
    *,
    first: Sequence[Recipe],
    objectives: int,
    trials: int,
    seed: int,
    identity: str,
    folder: Path | None,
    progress: Progress,
) -> SearchResult:
    """Try recipes until the study has so many.

    Args:
        space: The recipes.
        score: Scores one, piece by piece of the samples.
        first: Known recipes, which are tried first as far as the space has them.
        objectives: How many numbers it gives; of one, trials that are behind are stopped.
        trials: How many recipes are tried, by all processes that share the folder.
        seed: Random seed of the choices.
        identity: What is tuned on what; a study in the folder must have the same.
        folder: Where the journal is; None: in memory.
        progress: Shows the trials.

    Raises:
        InputError: The folder has a study of something else.
        MissingExtraError: Optuna is not installed.
    """
    with needs("tune", "the search for a recipe"), _quiet():
        study, alone = _open(folder, objectives), _lock(folder)
        with alone:
            _check_identity(study, identity, folder)
            if not study.get_trials(deepcopy=False):
                for recipe in first:
                    study.enqueue_trial(space.choices_of(recipe), skip_if_exists=True)
        done = _ended(study)
        with progress.stage("Tuning", trials, "recipes") as advance:
            advance(min(done, trials))
            while done < trials:
                with alone:
                    study.sampler = make_sampler(seed, len(study.get_trials(deepcopy=False)))
                    trial = study.ask()
                _run(trial, study, space, score, objectives)
                now = _ended(study)
                advance(min(now, trials) - done)
                done = now
        return _result(study, space)


def _run(
    trial: "Trial", study: "Study", space: RecipeSpace, score: ScoreByPiece, objectives: int
) -> None:
    """Score one recipe, until all pieces are scored or it is behind."""
    from optuna.trial import TrialState

    values: Sequence[float] = ()
    try:
        for step, values in enumerate(score(space.choose(trial)), 1):
            if objectives == 1:
                trial.report(values[0], step)
                if trial.should_prune():
                    study.tell(trial, state=TrialState.PRUNED)
                    return
    except RelpropError as error:  # others may do; which, and why, the result says
        trial.set_user_attr(_WHY, first_line(error))
        study.tell(trial, state=TrialState.FAIL)
        return
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    study.tell(trial, list(values))


def _open(folder: Path | None, objectives: int) -> "Study":
    import optuna

    storage = None
    if folder is not None:
        make_folder(folder)
        storage = open_journal(folder)
    return optuna.create_study(
        storage=storage,
        study_name=_NAME,
        directions=["maximize"] * objectives,
        pruner=optuna.pruners.SuccessiveHalvingPruner(1, _FACTOR, 0),
        load_if_exists=True,
    )


def _lock(folder: Path | None) -> AbstractContextManager[Any]:
    """Return a lock of the folder: one process at a time begins a search, or asks for a trial."""
    return nullcontext() if folder is None else FileLock(folder / "study.lock")


def _check_identity(study: "Study", identity: str, folder: Path | None) -> None:
    known = study.user_attrs.get(_OF)
    if known is None:
        study.set_user_attr(_OF, identity)
    elif known != identity:
        raise InputError(
            f"the search in {folder}, which is of another model, other samples or other options",
            "a folder of the same search, which goes on, or a new one",
            "give another folder for the output",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Optuna logs and warns of: options that it calls experimental."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _ended(study: "Study") -> int:
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def _result(study: "Study", space: RecipeSpace) -> SearchResult:
    from optuna.trial import FixedTrial

    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    best = sorted(complete, key=lambda trial: (-trial.values[0], trial.number))
    found = (
        TrialScore(trial.number, space.choose(FixedTrial(trial.params)), tuple(trial.values))
        for trial in best
    )
    stopped = sum(trial.state.name == "PRUNED" for trial in trials)
    return SearchResult(tuple(found), _ended(study), stopped, _failed(trials))


def _failed(trials: "Sequence[FrozenTrial]") -> dict[str, str]:
    reasons = [trial.user_attrs[_WHY] for trial in trials if _WHY in trial.user_attrs]
    return {f"{len(reasons)} of {len(trials)} recipes tried": reasons[0]} if reasons else {}
