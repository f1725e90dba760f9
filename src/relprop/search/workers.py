"""Processes that search beside this one.

Takes what was asked for. Each process reads the data itself and joins the study in the folder. Must
not know what a trial is.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch

from ..data.options import DataOptions
from ..errors import InputError
from .budget import Deadline
from .loop import Search
from .settings import FitSettings

_PAUSE = 0.2  # seconds between two looks at what others are doing
_PATIENCE = 1.0  # seconds that a process has to end by itself


class Workers:
    """Starts the other processes of a fit, and ends those that are left.

    Args:
        source: The data, as the user gave it.
        options: How it is read.
        settings: What was asked for.
        deadline: When everything must be over.
    """

    def __init__(
        self, source: Any, options: DataOptions, settings: FitSettings, deadline: Deadline
    ) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._text = ""
        self._count = settings.workers - 1
        if self._count:
            self._text = write_request(source, options, settings, deadline)

    def __enter__(self) -> Self:
        """Start the processes; all of them share the cores."""
        self._threads = torch.get_num_threads()
        threads = max(1, self._threads // (self._count + 1))
        if self._count:
            torch.set_num_threads(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        try:
            for _ in range(self._count):
                self._start(environment)
        except BaseException:
            self._end()
            raise
        return self

    def _start(self, environment: dict[str, str]) -> None:
        """Start a process, and tell it what was asked for."""
        command = [sys.executable, "-m", "relprop.search.worker"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
        )
        self._processes.append(process)
        if process.stdin is not None:
            with process.stdin as pipe:
                pipe.write(self._text.encode())

    def wait(self, search: Search) -> None:
        """Wait for trials that the others are running, as long as the search has time."""
        while self._alive() and search.deadline.left() > 0 and search.study.running():
            time.sleep(_PAUSE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        """End the processes that are left: what they had found is on the disk."""
        self._end()

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:  # Lightning takes the signal at its next step
                process.kill()
                process.wait()
        torch.set_num_threads(self._threads)

    def _alive(self) -> bool:
        return any(process.poll() is None for process in self._processes)


def write_request(
    source: Any, options: DataOptions, settings: FitSettings, deadline: Deadline
) -> str:
    """Write for another process what was asked for."""
    if not isinstance(source, (str, Path)) or not isinstance(options.test, (str, Path, type(None))):
        raise InputError(
            f"workers={settings.workers} for data in memory",
            "a path, which each process reads",
            "save the data to a file, or write workers=1",
        )
    request = {
        "source": str(source),
        "options": {**asdict(options), "test": options.test and str(options.test)},
        "settings": {**asdict(settings), "out": str(settings.out), "workers": 1},
        "deadline": asdict(deadline),  # the monotonic clock is the same for all processes
        "parent": os.getpid(),
    }
    return json.dumps(request)
