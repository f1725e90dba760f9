"""One trial: trained within its time and memory, and recorded whatever becomes of it.

Takes what the trials of a search share, and an attempt. Gives the model, or why there is none. Must
not know the search or its files.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..bundles.content import LeaderboardRow, TrialState
from ..errors import first_line
from ..networks.family import Family
from .alarm import Alarm, OutOfTime, end_after
from .allocation import Kind
from .contents import leaderboard_row
from .folds import Fold, cross_validate
from .memory import is_out_of_memory, limit_memory
from .model import Model, Recipe, train_model, trial_seed
from .prepared import PreparedData, Rows
from .study import Attempt
from .training import Check

ShouldStop = Callable[[Attempt, float, float], bool]

# A trial looks at the clock itself, after each batch. Beyond its time and this it is ended.
_GRACE_SHARE, _GRACE_SECONDS = 0.1, 1.0


@dataclass(frozen=True)
class Setup:
    """What all trials of a search share.

    Attributes:
        data: The samples.
        families: By name.
        train: Numbers of the training samples.
        validation: Numbers of the samples that trials are compared by.
        folds: Folds of all of these; empty where trials are not cross-validated.
        seed: Random seed.
        device: "cpu" or "cuda".
        memory: The most bytes, or None.
    """

    data: PreparedData
    families: Mapping[str, Family]
    train: Rows
    validation: Rows
    folds: tuple[Fold, ...]
    seed: int
    device: str
    memory: int | None

    def recipe(self, attempt: Attempt) -> Recipe:
        """Return what a trial trains by."""
        family = self.families[attempt.family]
        return Recipe(family, attempt.settings, trial_seed(self.seed, attempt.number), self.device)


@dataclass(frozen=True)
class Ended:
    """What became of a trial.

    Attributes:
        row: Its row of the leaderboard.
        model: Its model; None where it has none.
    """

    row: LeaderboardRow
    model: Model | None


def run_trial(
    setup: Setup, attempt: Attempt, kind: Kind, seconds: float, should_stop: ShouldStop
) -> Ended:
    """Run a trial. What goes wrong in it ends it alone, and is noted.

    Args:
        setup: What all trials share.
        attempt: The trial.
        kind: "folds": it is cross-validated; else it is trained once.
        seconds: The most time.
        should_stop: Tells for progress and score whether other trials were much better.
    """
    started = time.monotonic()
    limit = seconds * (1 + _GRACE_SHARE) + _GRACE_SECONDS
    state: TrialState
    try:
        with limit_memory(setup.memory), end_after(limit) as alarm:
            model = _train(setup, attempt, kind, seconds, _asker(attempt, alarm, should_stop))
        usable = model.state in ("done", "time") and model.outputs is not None
        return Ended(leaderboard_row(attempt.number, model), model if usable else None)
    except OutOfTime:
        state, note = "failed", f"not ended after {limit:.1f} s"
    except (ArithmeticError, MemoryError, RuntimeError, ValueError) as error:
        state = "memory" if is_out_of_memory(error) else "failed"
        note = first_line(error)
    gc.collect()  # what the trial held is free for the next one
    spent = time.monotonic() - started
    settings = dict(attempt.settings)
    row = LeaderboardRow(
        attempt.number, attempt.family, settings, state, None, None, spent, None, note
    )
    return Ended(row, None)


def _train(
    setup: Setup,
    attempt: Attempt,
    kind: Kind,
    seconds: float,
    ask: Callable[[float, float], bool],
) -> Model:
    recipe = setup.recipe(attempt)
    if kind == "folds":
        return cross_validate(setup.data, recipe, setup.folds, seconds=seconds, on_fold=ask)

    def on_check(check: Check) -> bool:
        return ask(check.progress, check.score)

    return train_model(
        setup.data, recipe, setup.train, setup.validation, seconds=seconds, on_check=on_check
    )


def _asker(
    attempt: Attempt, alarm: Alarm, should_stop: ShouldStop
) -> Callable[[float, float], bool]:
    """Return what asks whether to stop, which writes to the journal: not to be cut short."""

    def ask(progress: float, score: float) -> bool:
        with alarm.wait():
            return should_stop(attempt, progress, score)

    return ask
