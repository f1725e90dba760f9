"""Locks that end with the process that holds them, and a journal that survives its writers.

Optuna's own lock of a journal is a file that a killed process leaves behind, and a line that was
cut short, as on a full disk, makes its journal unreadable. Must not know what is searched.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

JOURNAL = "journal.log"


class RunningLock:
    """Held by the process that runs a trial; the system releases it when the process ends."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def try_hold(self) -> bool:
        """Take the lock, unless another process has it."""
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        """Give the lock back, and remove its file."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def open_journal(folder: Path) -> "JournalStorage":
    """Open the journal of a study, which several processes may write to."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class JournalLock(JournalFileOpenLock):
        """Holds a lock of the system, and removes a last line that was cut short."""

        def __init__(self, journal: Path) -> None:
            super().__init__(str(journal))
            self.journal, self.lock = journal, FileLock(journal.with_suffix(".lock"))

        def acquire(self) -> bool:
            self.lock.acquire()
            _remove_cut_line(self.journal)
            return True

        def release(self) -> None:
            self.lock.release()

    path = folder / JOURNAL
    backend = JournalFileBackend(str(path), lock_obj=JournalLock(path))
    with FileLock(path.with_suffix(".lock")):
        _remove_cut_line(path)
    return JournalStorage(backend)


def _remove_cut_line(path: Path) -> None:
    """Cut a file after its last complete line."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        if not end:
            return
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
