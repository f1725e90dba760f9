"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import FileError, InputError


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends without an error.

    Raises FileError if the folder is missing or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError) and not isinstance(error, FileError):
            raise _unwritable(path, error) from error
        raise


def path_of(given: object) -> Path:
    """A path. Raises InputError for what is none."""
    if not isinstance(given, (str, Path)):
        what = f"a path of type {type(given).__name__}"
        raise InputError(what, "a str or a pathlib.Path", 'write "model.plans"')
    return Path(given)


def _unwritable(path: Path, error: OSError) -> FileError:
    given = f"cannot write {path}: {error.strerror}"
    return FileError(given, "a file in a folder that exists and is writable", "choose another path")
