"""Progress of long jobs on stderr: a bar on a terminal, plain lines elsewhere, or nothing.

A job opens a stage with a name and a size, and reports each number of units done. Must not know
what the job is. Everything goes to stderr, so that stdout holds results alone.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from ..errors import InputError

Style = Literal["bar", "lines", "quiet"]
Advance = Callable[[int], object]

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Shows the stages of a job on stderr.

    Attributes:
        style: "bar", "lines" or "quiet".
    """

    def __init__(self, style: Style) -> None:
        self.style = style

    @classmethod
    def detect(cls, *, quiet: bool = False) -> "Progress":
        """Choose bars if stderr is a terminal, lines if it is a file or pipe; nothing if quiet."""
        return cls("quiet" if quiet else "bar" if sys.stderr.isatty() else "lines")

    def log(self, line: str) -> None:
        """Print one line, unless quiet."""
        if self.style != "quiet":
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Open a stage of `total` units; call the yielded function with each number of them done.

        Args:
            name: What is shown before the bar or in each line.
            total: Number of units; None where it is not known.
            unit: Plural noun of what is counted.
        """
        if self.style == "bar":
            from tqdm import tqdm

            terminal = shutil.get_terminal_size()  # 80 x 24 where the terminal does not say
            size = {"ncols": min(terminal.columns, 100), "nrows": terminal.lines}
            with tqdm(total=total, desc=name, unit=f" {unit}", file=sys.stderr, **size) as bar:
                yield bar.update
            return
        start = time.perf_counter()
        self.log(f"{name}: {'' if total is None else f'{total:,} '}{unit} ...")
        yield self._log_regularly(name, total, start)
        self.log(f"{name}: done in {time.perf_counter() - start:.1f} s")

    def _log_regularly(self, name: str, total: int | None, start: float) -> Advance:
        """Return an advance function that prints a line every SECONDS_BETWEEN_LINES."""
        done, last_line = 0, start

        def advance(more: int) -> None:
            nonlocal done, last_line
            done, now = done + more, time.perf_counter()
            if total and now - last_line >= SECONDS_BETWEEN_LINES:
                last_line = now
                self.log(f"{name}: {done / total:.0%} after {now - start:.0f} s")

        return advance


class NestedProgress(Progress):
    """Shows nothing itself: its stages advance a stage that is open already.

    Attributes:
        advance: The advance function of the open stage.
    """

    def __init__(self, advance: Advance) -> None:
        super().__init__("quiet")
        self.advance = advance

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Yield the advance function of the open stage."""
        yield self.advance


QUIET = Progress("quiet")

# the argument `progress` of public functions: whether to show it, or how
ProgressOption = bool | Progress


def progress_of(option: ProgressOption) -> Progress:
    """Return the Progress that an argument `progress` asks for.

    Args:
        option: True shows bars or lines on stderr, False nothing; a Progress is returned as it is.

    Raises:
        InputError: Anything else.
    """
    if isinstance(option, Progress):
        return option
    if not isinstance(option, bool):
        raise InputError(f"progress is {option!r}", "True or False", "write progress=True")
    return Progress.detect(quiet=not option)
