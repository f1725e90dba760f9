"""Files that are written completely or not at all, and their folders.

Takes paths and bytes. Must not know what a file holds.
"""

import csv
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import BinaryIO

from ..errors import FileError, InputError


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    An error or Ctrl-C inside the block leaves `path` as it was; so does a power failure, since the
    content is on the disk before it gets the name. Where `path` is a link, the file that it points
    to is replaced. A new file has the permissions that the umask leaves, an old one keeps its own.

    Raises:
        FileError: The folder is missing or not writable, or `path` is no regular file.
    """
    target = Path(os.path.realpath(path))
    mode = _mode_of(path, target)
    name = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}")
    try:
        handle = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else 0)
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
        if mode is not None:
            os.chmod(name, mode)
        os.replace(name, target)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise _not_writable(path, error) from error
        raise


def _mode_of(path: Path, target: Path) -> int | None:
    """Return the permissions of an existing file, None where there is none. Refuse all else."""
    try:
        found = target.lstat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_writable(path, error) from error
    if stat.S_ISREG(found):
        return stat.S_IMODE(found)
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISLNK: "a link that leads to itself"}
    kind = next((kind for holds, kind in kinds.items() if holds(found)), "a device or a pipe")
    raise FileError(
        f"cannot write {path}: it is {kind}",
        "a regular file, or a new one in an existing, writable folder",
        "choose another path",
    )


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all. Raises FileError as `write_atomically` does."""
    with write_atomically(path) as file:
        file.write(content)


def write_csv(path: object, rows: Iterable[Sequence[object]], call: str) -> None:
    """Write a CSV file, completely or not at all.

    Args:
        path: The file, a str or Path.
        rows: Names of the columns, then the rows; None is an empty cell.
        call: What the user called with the path, such as "curve.to_csv".

    Raises:
        FileError: It cannot be written.
        InputError: Its name is that of another format.
    """
    file = as_path(path)
    refuse_other_formats(file, (".csv",), call)
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_file(file, text.getvalue().encode())


def make_folder(folder: Path) -> None:
    """Create a folder and its parents where they are missing.

    Raises:
        FileError: The folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"cannot create the folder {folder}: {error.strerror}",
            "a path inside a writable folder",
            "choose another path",
        ) from error


def try_folder(folder: Path) -> None:
    """Try that files can be written to a folder, and leave nothing there.

    The folder is created, and removed again if it is new: to ask for permissions would miss names
    that are too long, disks that are read-only, and what else the system refuses.

    Raises:
        FileError: The folder cannot be created, or no file can be written to it.
    """
    new = []
    for path in (folder, *folder.parents):
        if os.path.lexists(path):
            break
        new.append(path)
    try:
        make_folder(folder)
        trial = folder / f".{secrets.token_hex(4)}"
        write_file(trial, b"")
        trial.unlink()
    finally:
        for path in new:
            with suppress(OSError):  # it was not made, or someone has put a file there
                path.rmdir()


def as_path(value: object) -> Path:
    """Return a str or Path as a Path. Raises InputError for any other type, and for a zero byte."""
    if not isinstance(value, (str, Path)):
        given = f"a path of type {type(value).__name__}"
        raise InputError(given, "a str or a pathlib.Path", 'write "folder/file"')
    if "\0" in str(value):
        raise InputError(f"the path {str(value)!r}", "no zero byte in it", 'write "folder/file"')
    return Path(value)


def refuse_other_formats(path: Path, allowed: Sequence[str], call: str) -> None:
    """Raise InputError for a name that promises another format than the one that is written.

    Args:
        path: The file to write. A suffix that begins with no letter, as in "run-0.5", is none.
        allowed: Suffixes of the format, the usual one first.
        call: What is called with the path, such as "explanation.save".
    """
    suffix = path.suffix
    if suffix in allowed or not suffix[1:2].isalpha():
        return
    raise InputError(
        f"the file {path}, whose name is that of another format than is written",
        f"a name that ends in {' or '.join(allowed)}, or has no suffix",
        f'write {call}("{path.with_suffix(allowed[0])}")',
    )


def _not_writable(path: Path, error: OSError) -> FileError:
    given = f"cannot write {path}: {error.strerror}"
    return FileError(given, "a file in an existing, writable folder", "choose another path")
