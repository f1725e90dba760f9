"""How far a training is, by its steps and by its time; when to validate; when to end.

Takes numbers of steps and seconds. Must not know what a step does.
"""

import time
from collections.abc import Callable

CHECKS = 20  # validations in a training, at equal parts of its progress
SHARE_OF_CHECKS = 0.05  # of the time, at most, where time is short
_STEPS_IN_MEAN = 50  # over which the time of a step is averaged: it changes with other work


class Clock:
    """Measures one training.

    A step takes the training further by its part of the steps that are left, or, where time is too
    short for all of them, by its part of the time that is left.

    Attributes:
        progress: Part of the training that is done, 0 to 1.
        steps: Number of steps done.
        planned: Number of steps that are planned.

    Args:
        steps: Number of steps that are planned.
        seconds: Time from `started` until all must be over, the last validation included.
        started: When the time began, as `now` tells it; None: now.
        now: Tells the time in seconds.
    """

    def __init__(
        self,
        steps: int,
        seconds: float,
        started: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress, self.steps = 0.0, 0
        self.planned, self._seconds, self._now = steps, seconds, now
        self._started = now() if started is None else started
        self._last_step, self._step_seconds = 0.0, 0.0  # when it was done; mean time of one
        self._checks, self._check_seconds, self._one_check = 0, 0.0, 0.0
        self._time_is_short = False

    @property
    def elapsed(self) -> float:
        """Seconds since the time began."""
        return self._now() - self._started

    @property
    def ended(self) -> str:
        """Why the training is over, "done" or "time"; "" while it is not."""
        if self.progress < 1:
            return ""
        return "done" if self.steps >= self.planned else "time"

    def expect_check(self, seconds: float) -> None:
        """Say how long a validation may take, before one was measured."""
        self._one_check = seconds

    def step(self) -> None:
        """Note a step that was done."""
        self.steps += 1
        elapsed = self.elapsed
        if self.steps > 1:  # the first is slower than the others: libraries prepare themselves
            weight = 1 / min(self.steps - 1, _STEPS_IN_MEAN)
            self._step_seconds += weight * (elapsed - self._last_step - self._step_seconds)
        self._last_step, seconds = elapsed, self._step_seconds
        left = self._seconds - self._one_check - elapsed
        if self.steps == self.planned or left < seconds or left <= 0:
            self.progress = 1.0
            return
        by_steps, by_time = 1 / (self.planned - self.steps + 1), seconds / (left + seconds)
        self._time_is_short = by_time > by_steps
        self.progress += (1 - self.progress) * max(by_steps, by_time)

    def check_is_due(self) -> bool:
        """Tell whether to validate now: at equal parts of the progress, and at its end.

        Where time is short, some are left out, so that they take a small part of it together.
        """
        if self.ended:
            return True
        spent = self._check_seconds + self._one_check
        costly = self._time_is_short and spent > SHARE_OF_CHECKS * self.elapsed
        return self._part() > self._checks and not costly

    def checked(self, seconds: float) -> None:
        """Note a validation, and how long it took."""
        self._checks = self._part()
        self._check_seconds += seconds
        self._one_check = seconds

    def _part(self) -> int:
        return int(self.progress * CHECKS + 1e-9)  # 0.15 may be a sum that is a little less
