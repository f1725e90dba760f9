"""Keeps the runs of any_dataset.py in a JSON file beside its page, to go on with later."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np


@dataclass(frozen=True)
class Run:
    """One call of `relprop fit`, done.

    Attributes:
        row: Name of the data set.
        task: Name of the task: a seed, or a repeat and fold.
        mode: "search", or "default": one network of the family's default settings.
        budget: The budget as asked for.
        threads: How many threads it had.
        beside: How many calls ran at the same time, itself included.
        seconds: Wall time from the start of the process to its end; 0 for a default that was taken
            from what the search gave.
        cpu_seconds: Processor time of it and its workers.
        trials: How many trials there were.
        family: Family of the model that came out.
        networks: Number of networks that are averaged.
        parameters: Number of their weights.
        samples: Number of test samples.
        right: Whether each test sample is classified correctly, a bit each, as `pack` writes them.
        tested: Whether each sample of the data set is in the test part, where the benchmark cut it;
            "" where the data set has a test part.
        imbalance: Of a search, the largest imbalance of the ledger, as a share of the score.
        over_random: Area between the removal curves of a random order and of the most relevant
            first, of each of some test samples: above 0 is better than random.
        baselines: Name of a baseline -> its `right`.
    """

    row: str
    task: str
    mode: str
    budget: str
    threads: int
    beside: int
    seconds: float
    cpu_seconds: float
    trials: int
    family: str
    networks: int
    parameters: int
    samples: int
    right: str
    tested: str
    imbalance: float = 0.0
    over_random: list[float] = field(default_factory=list)
    baselines: dict[str, str] = field(default_factory=dict)

    def is_right(self, baseline: str | None = None) -> np.ndarray:
        """Return whether each test sample is classified correctly, bool, (samples,)."""
        digits = self.right if baseline is None else self.baselines[baseline]
        return _bits(digits)[: self.samples]

    def of_all(self) -> np.ndarray:
        """Return 1 for right, 0 for wrong, NaN for not tested, of each sample there is."""
        if not self.tested:
            return self.is_right().astype(float)
        tested = _bits(self.tested)
        right = np.full(len(tested), np.nan)
        right[tested] = self.is_right()
        return right

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one run for."""
        return self.row, self.task, self.mode


def pack(is_right: np.ndarray) -> str:
    """Write a bit for each test sample, as hexadecimal digits."""
    return np.packbits(is_right).tobytes().hex()


def _bits(digits: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8)).astype(bool)


class RunFile:
    """A JSON file of runs, rewritten after each one; several threads may add to it."""

    def __init__(self, path: Path) -> None:
        """Read what is there."""
        self._path = path
        self._lock = Lock()
        text = path.read_text() if path.exists() else "[]"
        self._runs = {run.key: run for run in (Run(**entry) for entry in json.loads(text))}

    @property
    def runs(self) -> list[Run]:
        """All runs, in the order in which they were first done."""
        return list(self._runs.values())

    def find(self, key: tuple[str, str, str]) -> Run | None:
        """Return the run of a key, None if it is to be done."""
        return self._runs.get(key)

    def put(self, run: Run) -> None:
        """Add a run and write the file."""
        shares = [round(share, 3) for share in run.over_random]
        rounded = replace(
            run,
            seconds=round(run.seconds, 1),
            cpu_seconds=round(run.cpu_seconds, 1),
            over_random=shares,
        )
        with self._lock:
            self._runs[run.key] = rounded
            lines = ",\n".join(json.dumps(asdict(one)) for one in self._runs.values())
            written = self._path.with_suffix(".json.part")
            written.write_text(f"[\n{lines}\n]\n")
            written.replace(self._path)
