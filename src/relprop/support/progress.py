"""How far a long job is: a bar on a terminal, plain lines elsewhere, or nothing.

A job opens a stage with a name and a size, and calls what it gets with each part done. Must not
know what the job is. Everything goes to stderr, so that stdout holds results alone.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Style = Literal["bar", "lines", "quiet"]
Advance = Callable[[int], object]

EVERY = 30.0  # seconds between two lines


class Progress:
    """Shows the stages of a job on stderr."""

    def __init__(self, style: Style) -> None:
        self.style = style

    @classmethod
    def fitting(cls, *, quiet: bool = False) -> "Progress":
        """Bars if stderr is a terminal, lines if it is a file or a pipe, nothing if quiet."""
        return cls("quiet" if quiet else "bar" if sys.stderr.isatty() else "lines")

    def say(self, line: str) -> None:
        """Show one line."""
        if self.style != "quiet":
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        """One stage of `total` units; call what this gives with each number of units done."""
        if self.style == "bar":
            from tqdm import tqdm

            size = shutil.get_terminal_size()  # 80 x 24 where the terminal does not say
            room = {"ncols": min(size.columns, 100), "nrows": size.lines}
            with tqdm(total=total, desc=name, unit=f" {unit}", file=sys.stderr, **room) as bar:
                yield bar.update
            return
        start = time.perf_counter()
        self.say(f"{name}: {'' if total is None else f'{total:,} '}{unit} ...")
        yield self._lines(name, total, start)
        self.say(f"{name}: done in {time.perf_counter() - start:.1f} s")

    def _lines(self, name: str, total: int | None, start: float) -> Advance:
        """Says every half minute how far it is."""
        done, said = 0, start

        def advance(more: int) -> None:
            nonlocal done, said
            done, now = done + more, time.perf_counter()
            if total and now - said >= EVERY:
                said = now
                self.say(f"{name}: {done / total:.0%} after {now - start:.0f} s")

        return advance


class Part(Progress):
    """Shows nothing itself: what its stages do counts towards a stage that is open."""

    def __init__(self, advance: Advance) -> None:
        super().__init__("quiet")
        self.advance = advance

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str) -> Iterator[Advance]:
        """A stage within the open one."""
        yield self.advance


QUIET = Progress("quiet")
