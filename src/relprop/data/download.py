"""Downloads one file: complete and with the right checksum, or not at all, and without hanging.

Takes an address and a path. Must not know what the file holds.
"""

import errno
import hashlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import FileError
from ..support.files import write_atomically
from ..support.progress import QUIET, Advance, Progress

TIMEOUT = 4.0  # seconds without a single byte after which a connection counts as dead


class DownloadError(FileError):
    """A file cannot be downloaded: no connection, no such file, or wrong content.

    Attributes:
        reason: Why, in a few plain words; the exception behind it is the error's cause.
    """

    def __init__(self, given: str, allowed: str, todo: str, reason: str = "no download") -> None:
        super().__init__(given, allowed, todo)
        self.reason = reason


class ByteCounter:
    """Counts bytes and remembers when the last arrived; pooch uses it as a progress bar.

    Attributes:
        total: Expected bytes, set by pooch when the server answers.
        done: Bytes that have arrived.
        last: Time of the last arrival, as `time.monotonic` tells it.
    """

    def __init__(self) -> None:
        self.total = 0
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
    """Runs a job in a thread, as nothing else bounds the time of a name look-up or a connection.

    It is a daemon, so that a hanging job does not keep the program from ending.
    """

    def __init__(self, job: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.job = job
        self.failure: Exception | None = None

    def run(self) -> None:
        """Run the job, and store its exception for the waiting thread."""
        try:
            self.job()
        except Exception as error:
            self.failure = error


def fetch(url: str, path: Path, *, md5: str, size: int, progress: Progress = QUIET) -> None:
    """Download a file, and move it to `path` only when it is complete and its MD5 fits.

    Args:
        url: Address of the file.
        path: Where the file goes; its folder is created.
        md5: Expected MD5, in hexadecimal.
        size: Expected bytes, for the progress bar.
        progress: Shows the download.

    Raises:
        DownloadError: At most five seconds after the last byte arrived.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        partial = Path(folder) / path.name
        with progress.stage(f"Downloading {path.name}", size, "bytes") as advance:
            _transfer(url, partial, advance)
        content = partial.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        received = f"the {len(content):,} bytes received do not have the MD5 {md5}"
        raise _failure(url, received)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as file:
            file.write(content)
    except OSError as error:
        raise _failure(url, f"{path} cannot be written") from error


def _transfer(url: str, path: Path, advance: Advance) -> None:
    import pooch

    counter = ByteCounter()
    get = pooch.HTTPDownloader(progressbar=counter, timeout=TIMEOUT)
    transfer = _Background(lambda: get(url, str(path), None))
    transfer.start()
    shown = 0
    while transfer.is_alive() or shown < counter.done:
        transfer.join(0.05)
        done = counter.done
        advance(done - shown)
        shown = done
        if transfer.is_alive() and time.monotonic() - counter.last > TIMEOUT:
            raise _failure(url, f"no data for {TIMEOUT:g} seconds")
    if transfer.failure is not None:
        response = getattr(transfer.failure, "response", None)
        if response is not None:  # pooch leaves the connection open after a 404
            response.close()
            raise _failure(url, f"the server answered {response.status_code}") from transfer.failure
        raise _failure(url, _in_words(_root_cause(transfer.failure))) from transfer.failure


def _root_cause(error: BaseException) -> BaseException:
    """Return the innermost exception, which says most about the connection."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _in_words(error: BaseException) -> str:
    """Say why a connection failed, without the words of an exception."""
    number = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror) or number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "no network"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return f"no data for {TIMEOUT:g} seconds"
    return "the connection failed"


def _failure(url: str, why: str) -> DownloadError:
    return DownloadError(
        f"cannot download {url}: {why}",
        "a server that answers within five seconds, and the published file",
        "check the connection and try again, or download the file by other means",
        reason=why,
    )
