"""The time that a report has, and what its steps cost.

Takes seconds. Tells how much of something can be afforded. Must not know what a report shows.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class TimeLimit:
    """Counts the time of a report.

    Args:
        seconds: All the time that there is; None: as much as it takes.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds
        self._costs: dict[str, float] = {}
        self.was_short = False

    @property
    def left(self) -> float:
        """Seconds that are left; infinite without a limit."""
        return float("inf") if self._end is None else self._end - time.monotonic()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit, so that it matters what something costs."""
        return self._end is not None

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Measure what one of something costs."""
        start = time.monotonic()
        yield
        self._costs[name] = time.monotonic() - start

    def has(self, seconds: float) -> bool:
        """Tell whether there is so much time; remember where there is not."""
        enough = self.left >= seconds
        self.was_short = self.was_short or not enough
        return enough

    def afforded(self, wanted: int, name: str, share: float) -> int:
        """Return how many of something there is time for.

        Args:
            wanted: How many are wanted, which is the most.
            name: Something that was measured.
            share: Of the time that is left, for it.
        """
        if self._end is None:
            return wanted
        count = max(0, int(share * self.left / max(self._costs.get(name, 0.0), 1e-9)))
        self.was_short = self.was_short or count < wanted
        return min(wanted, count)
