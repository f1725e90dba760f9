"""Files that are written completely or not at all, and their folders.

Takes paths and bytes. Must not know what a file holds.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import FileError, InputError


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    An error or Ctrl-C inside the block leaves `path` as it was.

    Raises:
        FileError: The folder is missing or not writable.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise _not_writable(path, error) from error
        raise


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all. Raises FileError as `write_atomically` does."""
    with write_atomically(path) as file:
        file.write(content)


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


def as_path(value: object) -> Path:
    """Return a str or Path as a Path. Raises InputError for any other type."""
    if not isinstance(value, (str, Path)):
        given = f"a path of type {type(value).__name__}"
        raise InputError(given, "a str or a pathlib.Path", 'write "model.plans"')
    return Path(value)


def _not_writable(path: Path, error: OSError) -> FileError:
    given = f"cannot write {path}: {error.strerror}"
    return FileError(given, "a file in an existing, writable folder", "choose another path")
