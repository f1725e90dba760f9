"""Decides how many samples fit into memory, and which ones are taken where not all do.

Takes sizes. Gives numbers of samples, and a sentence that says so. Must not know files.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_SHARE = 0.5  # of the free memory: the samples, and what is made of them


@dataclass(frozen=True)
class Limit:
    """How much memory samples may take.

    Attributes:
        bytes: The most.
        seed: Of the choice of samples.
        given: Whether the user gave it.
    """

    bytes: int
    seed: int
    given: bool

    def choose(
        self, count: int, size: int, noun: str, source: object
    ) -> tuple[NDArray[np.int64] | None, list[str]]:
        """Choose samples at random where not all fit.

        Args:
            count: How many samples there are.
            size: Bytes that all of them take.
            noun: What they are, as a plural.
            source: Where they are from.

        Returns:
            Numbers of the chosen samples, in order, or None for all; and the sentences to show.

        Raises:
            InputError: Not even ten samples fit.
        """
        if size <= self.bytes:
            return None, []
        kept = int(count * self.bytes / size)
        if kept < min(10, count):
            raise InputError(
                f"{source} needs {size:,} bytes of memory for {count:,} {noun}, and "
                f"{self.bytes:,} are {'allowed' if self.given else 'free for it'}",
                "memory for ten samples at least",
                f"write --memory {size // max(count, 1) * 10 + 1_000_000}",
            )
        rows = np.sort(np.random.default_rng(self.seed).choice(count, kept, replace=False))
        note = (
            f"{source} holds {count:,} {noun} of about {size / 1e6:,.0f} MB, more than the "
            f"{self.bytes / 1e6:,.0f} MB that samples may take (half of the free memory, or a "
            f"quarter of --memory): {kept:,} of them, chosen at random, are used."
        )
        return rows, [note]


def limit_of(memory: int | None, seed: int) -> Limit:
    """Make the limit that the user gave, or half of the memory that is free."""
    return Limit(free_memory() if memory is None else memory, seed, memory is not None)


def free_memory() -> int:
    """Return half of the bytes of memory that are free."""
    try:
        with open("/proc/meminfo") as file:  # what caches hold is free, too
            lines = dict(line.split(":", 1) for line in file)
        return int(int(lines["MemAvailable"].split()[0]) * 1024 * _SHARE)
    except (OSError, KeyError, ValueError):  # not Linux
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return int(pages * _SHARE)
