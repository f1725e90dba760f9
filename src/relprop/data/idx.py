"""Reads the idx format of the MNIST family: a header with the shape, then one byte per number.

Takes the path of an idx file, plain or gzipped. Gives its shape or its array, or a FileError that
says what is wrong with the file. Must not know what the numbers mean.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
_CHUNK = 2**20


def read_idx(path: Path, ndim: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes with `ndim` dimensions.

    Args:
        path: The file, plain or gzipped.
        ndim: Dimensions that it must have.
        rows: Which along the first one, in order; the others take no memory. None: all.

    Raises:
        FileError: The file is missing, is no idx file, has another number type or dimension, is
            empty, is cut short, or is longer than its header says.
    """
    with _opened(path) as file:
        shape = _read_sizes(file, path, ndim)
        count, item = shape[0], math.prod(shape[1:])
        step = count if rows is None else max(1, _CHUNK // item)
        kept, size = [], 0
        for start in range(0, count, step):
            content = _read_at_most(file, min(step, count - start) * item)
            size += len(content)
            if len(content) < min(step, count - start) * item:
                break
            block = np.frombuffer(content, np.uint8).reshape(-1, *shape[1:])
            kept.append(block if rows is None else block[_between(rows, start, start + step)])
        size += len(file.read(1))
    _check_size(path, size, shape)
    return kept[0] if rows is None else np.concatenate(kept)


def _between(rows: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    """Return which rows of a block are among those in order."""
    first, last = np.searchsorted(rows, (start, stop))
    return rows[first:last] - start


def _check_size(path: Path, size: int, shape: tuple[int, ...]) -> None:
    """Raise FileError unless a file had as many bytes as its header says."""
    ndim, wanted = len(shape), math.prod(shape)
    start = 4 + 4 * ndim
    if size < wanted:
        got = f"{start + size:,} bytes of {start + wanted:,}"
        raise _damaged(path, f"it is cut short: {got}", ndim)
    if size > wanted:
        problem = f"it is longer than its header says: more than {start + wanted:,} bytes"
        raise _damaged(path, problem, ndim)


def read_idx_shape(path: Path, ndim: int) -> tuple[int, ...]:
    """Read the sizes in the header of an idx file, and no more of it; raises as `read_idx`."""
    with _opened(path) as file:
        return _read_sizes(file, path, ndim)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; one that is gzipped is decompressed while it is read."""
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != _GZIP:
                yield file
                return
            with gzip.open(file) as decompressed:
                yield cast(BinaryIO, decompressed)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(
            f"{path} is damaged: {error}",
            "a complete gzip file",
            "fetch the file again",
        ) from error
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}",
            "an idx file, plain or gzipped",
            "check the path",
        ) from error


def _read_sizes(file: BinaryIO, path: Path, ndim: int) -> tuple[int, ...]:
    start = 4 + 4 * ndim
    header = file.read(start)
    if header[:4] != bytes((0, 0, _UNSIGNED_BYTE, ndim)):
        raise _damaged(path, f"it starts with the bytes {header[:4].hex(' ') or '(none)'}", ndim)
    if len(header) < start:
        raise _damaged(path, "it ends within its header", ndim)
    shape: tuple[int, ...] = struct.unpack(f">{ndim}I", header[4:])  # big-endian
    if 0 in shape:
        raise _damaged(path, f"its sizes are {shape}, so that it holds nothing", ndim)
    return shape


def _read_at_most(file: BinaryIO, size: int) -> bytearray:
    """Read a number of bytes, or all there are: memory follows what is there, not the header."""
    content = bytearray()
    while chunk := file.read(min(_CHUNK, size - len(content))):
        content += chunk
    return content


def _damaged(path: Path, problem: str, ndim: int) -> FileError:
    magic = bytes((0, 0, _UNSIGNED_BYTE, ndim)).hex(" ")
    return FileError(
        f"{path} is not the expected idx file: {problem}",
        f"the bytes {magic}, {ndim} sizes of four bytes, and as many bytes as the sizes say",
        "fetch the file again",
    )
