"""The search: one trial after the other, within the time; the best model so far is always a bundle.

Takes what trials share, a study and a deadline. Gives the best model. Must not know the test part.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from torch import Tensor

from ..bundles.bundle import score_text
from ..bundles.content import BundleContent, LeaderboardRow
from ..bundles.write import write_bundle
from ..data.words import counted
from ..support.progress import Progress
from .allocation import Allocation
from .budget import Deadline, write_duration
from .choice import choose_average, is_better
from .contents import Origin, make_content
from .model import FittedModel
from .prepared import Rows
from .shelf import Shelf
from .study import Attempt, SharedStudy
from .trial import Candidate, Setup, on_everything, run_trial, validated

# Standard errors of the paired difference by which a new model must be better than the best so far:
# the default, which was tuned on much data, is not given up for a chance.
ERRORS = 2.0
_KEPT = 8  # models of trials that stay on the disk, the best ones
_FAILURES = 10  # trials after which the search ends if none of them gave a model
SLOWER = 1.3  # how much longer than the last training of its kind one may take
_MORE = 2.0  # times as long a trial may be than the one of its settings before
_WORTH = 0.5  # of the time of a usual trial: with less left, none is begun


@dataclass(frozen=True)
class Search:
    """A search for the best model.

    Attributes:
        setup: What the trials share.
        study: Which trial is next, and what came of all.
        shelf: Files of trials.
        origin: Where the models are from.
        allocation: How the time is divided.
        deadline: When the search must be over.
        started: The whole time of the fit.
        out: Folder of the bundle.
        trials: The most trials, or None.
        averaged: The most models that are averaged in the end.
        goes_on: Tells whether this process is to go on.
        progress: Shows the trials.
        earlier: What an earlier run of this search ended with; it is the bundle until this one
            ends, too.
    """

    setup: Setup
    study: SharedStudy
    shelf: Shelf
    origin: Origin
    allocation: Allocation
    deadline: Deadline
    started: Deadline
    out: Path
    trials: int | None
    averaged: int
    goes_on: Callable[[], bool]
    progress: Progress
    earlier: BundleContent | None = None

    def run(self) -> None:
        """Run trials until the time, or their number, is over."""
        if earlier := len(self.study.rows()):
            self.progress.log(f"going on after {counted(earlier, 'earlier trial')}")
        self._consider_others()  # of a run that ended before it could
        self._repeat_leader()
        self.go_on()

    def go_on(self) -> None:
        """Run the trials that are left, those of a process that ended before its time, too."""
        while self._is_worth_it() and (attempt := self.study.ask(self.trials)):
            try:
                self._run(attempt)
            except BaseException:  # Ctrl-C, a full disk: another run begins the trial again
                self.study.give_back(attempt)
                raise

    def content(self, model: FittedModel, given: tuple[Rows, Tensor] | None) -> BundleContent:
        """Return the bundle of a model, with what it gives for validation samples, by number."""
        return make_content(
            self.origin,
            self.setup.data,
            [model],
            self.study.rows(),
            validation=given,
            seconds=self.started.spent(),
        )

    def _repeat_leader(self) -> None:
        """Let the best settings of a run that had little time be tried again, with more.

        So are those of a run that did not validate them, or by other samples.
        """
        rows = [row for row in self.study.rows() if row.number == self.study.leader]
        for row in rows:
            hurried = row.state == "time" and self.allocation.trial > _MORE * row.seconds
            is_whole = self.allocation.kind in ("folds", "whole")
            if (hurried and is_whole) or self.outputs(row.number) is None:
                self.study.repeat(row.family, row.settings)

    def _is_worth_it(self) -> bool:
        """Tell whether there is time for another trial."""
        if not self.goes_on():
            return False
        leader = self.study.leader
        if leader is None:
            return self.deadline.left() > 0 and len(self.study.rows()) < _FAILURES
        if self.outputs(leader) is None and self.deadline.left() < self.allocation.usual:
            return False  # no trial can be compared with it: its own settings are trained again
        in_time = self.deadline.spent() < self.allocation.explore or self._is_averaged(leader)
        return in_time and self.deadline.left() > _WORTH * self._usual()

    def _is_averaged(self, number: int) -> bool:
        """Tell whether whole trainings are averaged: then the best is not trained once more."""
        leader = next((row for row in self.study.rows() if row.number == number), None)
        if self.allocation.kind != "whole" or leader is None or self.outputs(number) is None:
            return False
        return len(self.together(leader)) > 1

    def together(self, leader: LeaderboardRow) -> list[tuple[LeaderboardRow, Tensor]]:
        """Return the trials whose average is best on the samples of comparison, and their outputs.

        Args:
            leader: The first of them, whose outputs are known.
        """
        setup = self.setup
        learned = setup.compared if setup.folds else setup.train
        alike = setup.data.prepared_alike(learned, leader.settings)
        with self.study.alone():  # another process may remove the files of a trial
            others = (row for row in self.study.rows() if self._may_join(row, leader))
            rows = [leader, *(row for row in others if alike(row.settings))]
            outputs = [self.shelf.outputs(row.number) for row in rows]
        task = self.origin.dataset.target.task
        chosen = choose_average(outputs, self.setup.targets, task, self.averaged)
        return [(rows[number], outputs[number]) for number in chosen]

    def _may_join(self, row: LeaderboardRow, leader: LeaderboardRow) -> bool:
        """Tell whether a trial's model can be averaged with the best one."""
        if row.number == leader.number or not self.shelf.has_outputs(row.number):
            return False
        return bool(self.setup.folds) or self.shelf.has_model(row.number)

    def _should_stop(self, attempt: Attempt, progress: float, score: float) -> bool:
        """Tell whether other trials were much better; the first model is not stopped."""
        behind = self.study.should_stop(attempt, progress, score)
        return behind and self.study.leader is not None

    def _usual(self) -> float:
        """Return the seconds of a usual trial."""
        spent = [row.seconds for row in self.study.rows() if row.score is not None]
        return median(spent) if spent else self.allocation.usual

    def _seconds(self, attempt: Attempt) -> float:
        """Return the most seconds that a trial has which begins now.

        One that is validated on folds, and is better, is then trained on everything.
        """
        left, folds = self.deadline.left(), len(self.setup.folds)
        if folds and self.study.leader != attempt.number:
            left *= folds / (folds + SLOWER)
        return min(self.allocation.limit(self.deadline.spent()), left)

    def _run(self, attempt: Attempt) -> None:
        """Run a trial, keep what came of it, and make it the best so far if it is."""
        if self.setup.folds and self.study.leader is None and not self._begin(attempt):
            return
        seconds = self._seconds(attempt)
        train = validated(self.setup, attempt, seconds, self._should_stop)
        ended = run_trial(self.setup, attempt, train, seconds)
        if ended.model is not None and ended.model.outputs is not None:
            self.shelf.put_outputs(attempt.number, ended.model.outputs)
            if ended.model.networks:
                content = self.content(ended.model, (self.setup.compared, ended.model.outputs))
                self.shelf.put_model(attempt.number, content)
        self.study.tell(attempt, ended.row)
        if ended.model is not None and ended.model.outputs is not None:
            self._consider(attempt, ended.model.outputs)
        if self.study.leader == attempt.number:
            self._consider_others()
        self._show(ended.row)
        self._tidy()

    def _begin(self, attempt: Attempt) -> bool:
        """Train a default on everything, so that there is a bundle, though it has no score.

        Where another process was faster, its model is the best so far until both are validated.

        Returns:
            Whether it is to be validated now: it did not fail, and there is time.
        """
        seconds = self.deadline.left()
        train = on_everything(self.setup, attempt, seconds)
        ended = run_trial(self.setup, attempt, train, seconds)
        if ended.model is not None:
            content = self.content(ended.model, None)
            with self.study.alone():
                if self.study.leader is None:
                    self._make_leader(attempt.number, content)
                else:
                    self.shelf.put_model(attempt.number, content)
            if self.deadline.left() > self._usual():
                return True  # else a later run may have the time
        self.study.tell(attempt, ended.row)
        self._show(ended.row)
        return False

    def _consider_others(self) -> None:
        """Compare trials that ended before the best so far was validated with it."""
        for row in self.study.rows():
            outputs = self.outputs(row.number)
            if outputs is not None:
                self._consider(row, outputs)

    def _consider(self, candidate: Candidate, outputs: Tensor) -> None:
        """Make a trial's model the best so far if it is better than the one that is."""
        if not self._is_better(candidate, outputs):
            return
        content = self._model_of(candidate, outputs)
        if content is None:
            return
        with self.study.alone():
            if self._is_better(candidate, outputs):
                self._make_leader(candidate.number, content)

    def _model_of(self, candidate: Candidate, outputs: Tensor) -> BundleContent | None:
        """Return a trial's model; of folds it is trained on everything if it is not on the disk."""
        known = self.model(candidate.number)
        if known is not None or not self.setup.folds:
            return known
        row = next((row for row in self.study.rows() if row.number == candidate.number), None)
        seconds = self.deadline.left()
        if row is None or seconds < SLOWER * row.seconds / len(self.setup.folds):
            return None
        train = on_everything(self.setup, candidate, seconds)
        model = run_trial(self.setup, candidate, train, seconds).model
        return None if model is None else self.content(model, (self.setup.compared, outputs))

    def _is_better(self, candidate: Candidate, outputs: Tensor) -> bool:
        """Tell whether outputs are better than those of the best so far, beyond chance."""
        leader = self.study.leader
        if leader is None:
            return True
        known = self.outputs(leader)
        if known is None:
            return self._is_like(leader, candidate) or self._has_failed(leader)
        task = self.origin.dataset.target.task
        return is_better(outputs, known, self.setup.targets, task, ERRORS)

    def outputs(self, number: int) -> Tensor | None:
        """Return what a trial gave for the samples of comparison; None: that is not known."""
        with self.study.alone():  # another process may remove the files of a trial
            return self.shelf.outputs(number) if self.shelf.has_outputs(number) else None

    def model(self, number: int) -> BundleContent | None:
        """Return a trial's model; None: it is not on the disk."""
        with self.study.alone():
            return self.shelf.model(number) if self.shelf.has_model(number) else None

    def _has_failed(self, number: int) -> bool:
        """Tell whether a trial has ended, and not for lack of time, without being validated."""
        ended = (row.state for row in self.study.rows() if row.number == number)
        return any(state not in ("done", "time") for state in ended)

    def _is_like(self, number: int, candidate: Candidate) -> bool:
        """Tell whether a trial's model has the settings of another trial."""
        known = self.model(number)
        wanted = (candidate.family, dict(candidate.settings))
        return known is not None and wanted == (
            known.members[0].family,
            dict(known.members[0].settings),
        )

    def write(self, content: BundleContent, *, is_final: bool = False) -> None:
        """Write the bundle, while no other process does.

        Args:
            content: What it holds.
            is_final: Whether the search is over. Before that a bundle of an earlier run stays.
        """
        if is_final or self.earlier is None:
            with self.study.alone():
                write_bundle(self.out, content)

    def _make_leader(self, number: int, content: BundleContent) -> None:
        """Write a model as the best so far, inside `alone`; it is the bundle from then on."""
        self.shelf.put_model(number, content)
        self.write(content)
        self.study.lead(number)

    def _tidy(self) -> None:
        """Remove the files of trials that are neither the leader nor among the best."""
        with self.study.alone():
            rows = self.study.rows()
            kept = {row.number for row in rows[:_KEPT]} | {self.study.leader}
            self.shelf.remove(row.number for row in rows if row.number not in kept)

    def _show(self, row: LeaderboardRow) -> None:
        """Show a trial, the best so far and the time that is left."""
        rows = self.study.rows()
        named = "" if row.score is None else f"{self.origin.score_name} "
        why = f" ({row.note})" if row.score is None and row.note else ""
        what = (f"{named}{score_text(row)}" or row.state) + why
        scores = [one.score for one in rows if one.score is not None]  # the best first
        best, left = f"{scores[0]:.4f}" if scores else "none", max(self.deadline.left(), 0.0)
        self.progress.log(
            f"trial {row.number}: {row.family}, {what}, {row.seconds:.1f} s; "
            f"best {best} of {len(rows)}; {write_duration(left)} left to search"
        )
