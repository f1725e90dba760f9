"""One trial: trained within its time and memory, and recorded whatever becomes of it.

Takes what the trials of a search share, and an attempt. Gives the model, or why there is none. Must
not know the search or its files.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..bundles.content import LeaderboardRow, TrialState
from ..errors import first_line
from ..networks.family import NetworkFamily, Settings
from ..training.train import Check
from .alarm import Alarm, OutOfTime, end_after
from .contents import leaderboard_row
from .folds import Fold, all_rows, cross_validate
from .memory import is_out_of_memory, limit_memory
from .model import FittedModel, TrainingRecipe, train_model, trial_seed
from .prepared import PreparedData, Rows
from .study import Attempt

ShouldStop = Callable[[Attempt, float, float], bool]
Train = Callable[[Alarm], FittedModel]

# A trial looks at the clock itself, after each batch. Beyond its time and this it is ended.
_GRACE_SHARE, _GRACE_SECONDS = 0.1, 1.0


class Candidate(Protocol):
    """What is trained: a trial that runs, or one of the leaderboard again."""

    @property
    def number(self) -> int:
        """Number of the trial."""

    @property
    def family(self) -> str:
        """Name of its family."""

    @property
    def settings(self) -> Settings:
        """All settings."""


@dataclass(frozen=True)
class Setup:
    """What all trials of a search share.

    Attributes:
        data: The samples.
        families: By name.
        train: Numbers of the training samples.
        validation: Numbers of the validation samples.
        folds: Folds of both together; empty where trials are not cross-validated.
        may_mix: Whether samples may change their parts: no groups and no order of time were named.
        seed: Random seed.
        device: "cpu" or "cuda".
        memory: The most bytes, or None.
    """

    data: PreparedData
    families: Mapping[str, NetworkFamily]
    train: Rows
    validation: Rows
    folds: tuple[Fold, ...]
    may_mix: bool
    seed: int
    device: str
    memory: int | None

    @property
    def compared(self) -> Rows:
        """Numbers of the samples that trials are compared by."""
        return all_rows(self.folds) if self.folds else self.validation

    @property
    def targets(self) -> Tensor:
        """Targets of these samples."""
        return self.data.targets(self.compared)

    def recipe(self, what: Candidate, repeat: int = 0) -> TrainingRecipe:
        """Return what a candidate is trained by; each repeat has other seeds."""
        seed = trial_seed(self.seed, what.number, repeat)
        return TrainingRecipe(self.families[what.family], what.settings, seed, self.device)


@dataclass(frozen=True)
class Ended:
    """What became of a trial.

    Attributes:
        row: Its row of the leaderboard.
        model: Its model; None where it has none.
    """

    row: LeaderboardRow
    model: FittedModel | None


def run_trial(setup: Setup, what: Candidate, train: Train, seconds: float) -> Ended:
    """Run a trial. What goes wrong in it ends it alone, and is noted.

    Args:
        setup: What all trials share.
        what: The trial.
        train: Trains its model; is told the alarm that ends what takes too long.
        seconds: The most time.
    """
    started = time.monotonic()
    limit = seconds * (1 + _GRACE_SHARE) + _GRACE_SECONDS
    state: TrialState
    try:
        with limit_memory(setup.memory), end_after(limit) as alarm:
            model = train(alarm)
        usable = model.state in ("done", "time")
        return Ended(leaderboard_row(what.number, model), model if usable else None)
    except OutOfTime:
        state, note = "failed", f"not ended after {limit:.1f} s"
    except (ArithmeticError, MemoryError, RuntimeError, ValueError) as error:
        state = "memory" if is_out_of_memory(error) else "failed"
        note = first_line(error)
    gc.collect()  # what the trial held is free for the next one
    spent = time.monotonic() - started
    settings = dict(what.settings)
    row = LeaderboardRow(what.number, what.family, settings, state, None, None, spent, None, note)
    return Ended(row, None)


def validated(setup: Setup, attempt: Attempt, seconds: float, should_stop: ShouldStop) -> Train:
    """Return what trains a trial's model and measures it on the samples of comparison.

    Args:
        setup: What all trials share; where there are folds, the model is cross-validated.
        attempt: The trial.
        seconds: The most time.
        should_stop: Tells for progress and score whether other trials were much better.
    """
    recipe = setup.recipe(attempt)

    def train(alarm: Alarm) -> FittedModel:
        def ask(progress: float, score: float) -> bool:
            with alarm.wait():  # it writes to the journal, which is not to be cut short
                return should_stop(attempt, progress, score)

        def on_check(check: Check) -> bool:
            return ask(check.progress, check.score)

        if setup.folds:
            return cross_validate(setup.data, recipe, setup.folds, seconds=seconds, on_fold=ask)
        rows = setup.train, setup.validation
        return train_model(setup.data, recipe, *rows, seconds=seconds, on_check=on_check)

    return train


def on_everything(setup: Setup, what: Candidate, seconds: float, repeat: int = 0) -> Train:
    """Return what trains on the samples of all folds, since small data has none to spare."""
    recipe, rows = setup.recipe(what, repeat), all_rows(setup.folds)

    def train(alarm: Alarm) -> FittedModel:
        return train_model(setup.data, recipe, rows, None, seconds=seconds)

    return train
