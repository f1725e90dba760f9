"""The study of a search: which trial is next, which one is stopped early, what came of each.

Takes a folder, spaces of families and a seed; several processes may open one folder. Gives attempts
and the rows of the leaderboard. Must not know data, networks or training.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ..bundles.content import LeaderboardRow
from ..errors import FileError
from ..networks.family import Choice, Range, Settings, Space, Value
from ..support.extras import needs
from ..support.files import make_folder
from .journal import RunningLock, open_journal
from .space import FamilySpace

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_NAME = "fit"
_FAMILY = "family"
_ROW, _TRY, _LEADER = "row", "try", "leader"
# A trial that was running when its process was killed is run again once: it may be what killed it.
_TRIES = 2
# Successive halving: of the trials that got to a quarter of their training, then to three quarters,
# a third goes on. Near the end stopping would save nothing.
_RUNG, _FACTOR, _LAST_RUNG = 25, 3, 90


@dataclass(frozen=True)
class Attempt:
    """A trial that this process is to run.

    Attributes:
        number: Its number in the study, from 0.
        family: Name of the family of networks.
        settings: All settings.
        trial: Optuna's trial.
        lock: Held while it runs.
    """

    number: int
    family: str
    settings: Settings
    trial: "Trial"
    lock: RunningLock


class SharedStudy:
    """A study in a folder, shared by all processes that open it.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path, spaces: Sequence[FamilySpace], seed: int) -> None:
        """Open the study of a folder, or begin one with the families' defaults.

        Args:
            folder: Folder of the search; it is created where it is missing.
            spaces: What is searched, the family of the first trial first.
            seed: Random seed of the choices.
        """
        self.folder, self._seed = folder, seed
        self._spaces = {space.family.name: space for space in spaces}
        make_folder(folder / "trials")
        self._lock = FileLock(folder / "study.lock")
        with self._writing(), self._lock:
            self._study = _open_study(folder)
            if not self._study.get_trials(deepcopy=False):
                for space in spaces:
                    self._study.enqueue_trial(_parameters(space.family.name, space.default, space))

    def ask(self, most: int | None = None) -> Attempt | None:
        """Return the next trial to run, or None when `most` trials have been run or are running."""
        with self.alone():
            self._give_back_stale()
            if most is not None and self._count() >= most:
                return None
            trial = self._next_trial()
            lock = self._lock_of(trial.number)
            lock.try_hold()
            family, settings = self._choose(trial)
        return Attempt(trial.number, family, settings, trial, lock)

    def should_stop(self, attempt: Attempt, progress: float, score: float) -> bool:
        """Tell whether other trials were so much better at this progress, 0 to 1, as to stop."""
        step = int(100 * progress)
        if step < _RUNG or step >= _LAST_RUNG:
            return False
        with self.alone():
            attempt.trial.report(score, step)
            return attempt.trial.should_prune()

    def tell(self, attempt: Attempt, row: LeaderboardRow) -> None:
        """Record what came of a trial; its weights must be on the disk by now."""
        from optuna.trial import TrialState

        states = dict.fromkeys(("done", "time"), TrialState.COMPLETE)
        state = {**states, "pruned": TrialState.PRUNED}.get(row.state, TrialState.FAIL)
        if row.score is None and state is TrialState.COMPLETE:
            state = TrialState.FAIL  # a model, but nothing to compare it by
        value = row.score if state is TrialState.COMPLETE else None
        with self.alone():
            attempt.trial.set_user_attr(_ROW, asdict(row))
            self._study.tell(attempt.trial, value, state=state)
            attempt.lock.release()

    def give_back(self, attempt: Attempt) -> None:
        """Let another process run a trial that this one could not end."""
        with self.alone():
            trials = self._study.get_trials(deepcopy=False)
            if _is_running(trials[attempt.number]):  # else it had ended before what went wrong
                self._return_trial(attempt.number, attempt.trial.params, tries=0)
            attempt.lock.release()

    def repeat(self, family: str, settings: Settings) -> None:
        """Let settings be tried once more, after those that wait, unless they are among them."""
        parameters = _parameters(family, settings, self._spaces[family])
        with self.alone():
            trials = self._study.get_trials(deepcopy=False)
            waiting = [t.system_attrs.get("fixed_params") for t in trials if _is_open(t)]
            if parameters not in waiting:
                self._study.enqueue_trial(parameters)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process of this study read or change it inside the block."""
        with self._writing(), self._lock:
            yield

    @property
    def leader(self) -> int | None:
        """Number of the trial whose model is the best so far; None: there is none yet."""
        number: int | None = self._study.user_attrs.get(_LEADER)
        return number

    def lead(self, number: int) -> None:
        """Make a trial's model the best so far; call it inside `alone`."""
        self._study.set_user_attr(_LEADER, number)

    def running(self) -> int:
        """Count the trials that a living process is running."""
        with self.alone():
            self._give_back_stale()
            return sum(map(_is_running, self._study.get_trials(deepcopy=False)))

    def rows(self) -> tuple[LeaderboardRow, ...]:
        """Return the trials that have ended, the best first, then those without a score."""
        trials = self._study.get_trials(deepcopy=False)
        rows = [LeaderboardRow(**t.user_attrs[_ROW]) for t in trials if _ROW in t.user_attrs]
        return tuple(sorted(rows, key=_rank))

    def _next_trial(self) -> "Trial":
        """Ask for a trial; a sampler of a seed of its own does not repeat the draws of another."""
        self._study.sampler = make_sampler(self._seed, len(self._study.get_trials(deepcopy=False)))
        return self._study.ask()

    def _choose(self, trial: "Trial") -> tuple[str, Settings]:
        """Let the sampler choose a family and its settings."""
        family = trial.suggest_categorical(_FAMILY, list(self._spaces))
        space = self._spaces[family]
        chosen = {
            name: _suggest(trial, f"{family}.{name}", one) for name, one in space.space.items()
        }
        return family, {**space.default, **chosen}

    def _count(self) -> int:
        """Count the trials that were run or are running."""
        trials = self._study.get_trials(deepcopy=False)
        return sum(_ROW in trial.user_attrs or _is_running(trial) for trial in trials)

    def _give_back_stale(self) -> None:
        """Find trials whose process is gone, and let them be run again."""
        for trial in self._study.get_trials(deepcopy=False):
            if _is_running(trial) and (lock := self._lock_of(trial.number)).try_hold():
                self._return_trial(trial.number, trial.params, trial.user_attrs.get(_TRY, 1))
                lock.release()

    def _return_trial(self, number: int, parameters: Mapping[str, Any], tries: int) -> None:
        from optuna.trial import TrialState

        self._study.tell(number, state=TrialState.FAIL)
        if tries < _TRIES:
            self._study.enqueue_trial(dict(parameters), user_attrs={_TRY: tries + 1})

    def _lock_of(self, number: int) -> RunningLock:
        return RunningLock(self.folder / "trials" / f"{number:05d}.running")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say what is wrong where the folder cannot be written to."""
        try:
            yield
        except FileError:
            raise
        except OSError as error:
            raise FileError(
                f"cannot write the search in {self.folder}: {error.strerror or error}",
                "a folder on a disk with free space, which this program may write to",
                "make room, and give the same command again: it goes on from there",
            ) from error


def _open_study(folder: Path) -> "Study":
    with needs("fit", "the search"):
        import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=open_journal(folder),
            study_name=_NAME,
            direction="maximize",
            pruner=optuna.pruners.SuccessiveHalvingPruner(_RUNG, _FACTOR),
            load_if_exists=True,
        )
    finally:
        optuna.logging.set_verbosity(level)


def make_sampler(seed: int, trials: int) -> Any:
    """Return Optuna's sampler, with a seed of its own for each number of trials.

    Args:
        seed: Of the search.
        trials: How many trials the study has.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `group`, since version 2.8
        mixed = (seed * 1_000_003 + trials) % 2**32
        return TPESampler(seed=mixed, multivariate=True, group=True)


def _suggest(trial: "Trial", name: str, space: Choice | Range) -> Value:
    if isinstance(space, Choice):
        options = list(dict.fromkeys(space.options))  # small pictures have some of them twice
        chosen: Value = trial.suggest_categorical(name, options)  # type: ignore[assignment]
        return chosen
    if space.whole:
        return trial.suggest_int(name, int(space.low), int(space.high), log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def _parameters(family: str, values: Settings, space: FamilySpace) -> dict[str, Value]:
    """Name settings of a family as Optuna's parameters."""
    searched: Space = space.space
    return {_FAMILY: family, **{f"{family}.{name}": values[name] for name in searched}}


def _is_running(trial: "FrozenTrial") -> bool:
    return bool(trial.state.name == "RUNNING")


def _is_open(trial: "FrozenTrial") -> bool:
    return bool(trial.state.name in ("RUNNING", "WAITING"))


def _rank(row: LeaderboardRow) -> tuple[bool, float, int]:
    kept = row.state in ("done", "time") and row.score is not None
    return (not kept, -(row.score or 0.0), row.number)
