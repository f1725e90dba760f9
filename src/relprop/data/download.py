"""One file from the web: whole and with the right checksum, or not at all, and no endless wait.

Takes an address and where to put the file. Must not know what is in it.
"""

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import FileError
from ..support.files import write_atomically
from ..support.progress import QUIET, Advance, Progress

PATIENCE = 4.0  # seconds without a single byte after which a connection counts as dead


class DownloadError(FileError):
    """A file cannot be had: no connection, no such file, or not the right content."""


class Meter:
    """Counts bytes and remembers when the last came; pooch takes it for a progress bar."""

    def __init__(self) -> None:
        self.total = 0  # set by pooch when the server answers
        self.done = 0
        self.last = time.monotonic()

    def update(self, amount: int) -> None:
        """Count `amount` more bytes; pooch rounds the last amount up."""
        self.done = min(self.done + amount, self.total) if self.total else self.done + amount
        self.last = time.monotonic()

    def reset(self) -> None:
        """Do nothing: pooch starts over only to fill a bar at the end."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


class _Background(threading.Thread):
    """Runs `job`, because nothing else bounds how long a name look-up or a connection takes.

    A daemon: a job that hangs does not keep the program from ending.
    """

    def __init__(self, job: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.job = job
        self.failure: Exception | None = None

    def run(self) -> None:
        """Run the job, and keep what went wrong for the thread that waits."""
        try:
            self.job()
        except Exception as error:
            self.failure = error


def fetch(url: str, path: Path, *, md5: str, size: int, progress: Progress = QUIET) -> None:
    """Fetch `url` to `path`, in place only when it is whole and its MD5 is `md5`.

    size  in bytes, for the progress bar
    Raises DownloadError, at most five seconds after the last byte came.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        part = Path(folder) / path.name
        with progress.stage(f"downloading {path.name}", size, "bytes") as advance:
            _transfer(url, part, advance)
        content = part.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise _failed(url, f"the {len(content):,} bytes that came do not have the MD5 {md5}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(content)
    except OSError as error:
        raise _failed(url, f"{path} cannot be written") from error


def _transfer(url: str, part: Path, advance: Advance) -> None:
    import pooch

    meter = Meter()
    get = pooch.HTTPDownloader(progressbar=meter, timeout=PATIENCE)
    transfer = _Background(lambda: get(url, str(part), None))
    transfer.start()
    shown = 0
    while transfer.is_alive() or shown < meter.done:
        transfer.join(0.05)
        done = meter.done
        advance(done - shown)
        shown = done
        if transfer.is_alive() and time.monotonic() - meter.last > PATIENCE:
            raise _failed(url, f"nothing came for {PATIENCE:g} seconds")
    if transfer.failure is not None:
        response = getattr(transfer.failure, "response", None)
        if response is not None:  # pooch leaves the connection open after a 404
            response.close()
        raise _failed(url, _reason(transfer.failure)) from transfer.failure


def _reason(error: BaseException) -> str:
    """What lies at the bottom of an error from the network, where the plain words are."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"


def _failed(url: str, why: str) -> DownloadError:
    return DownloadError(
        f"{url} cannot be downloaded: {why}",
        "a connection that answers within five seconds, and the published file",
        "check the connection and try again, or fetch the file by other means",
    )
