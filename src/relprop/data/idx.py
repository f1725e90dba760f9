"""Reads the idx format of the MNIST family: a header with the shape, then one byte per number.

Takes the path of an idx file, plain or gzipped. Gives its array, or a FileError that says what is
wrong with the file. Must not know what the numbers mean.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes with `ndim` dimensions.

    Raises:
        FileError: The file is missing, is no idx file, has another number type or dimension, is cut
            short, or is longer than its header says.
    """
    content = _decompressed(path)
    start = 4 + 4 * ndim
    if len(content) < 4 or content[:3] != bytes((0, 0, _UNSIGNED_BYTE)) or content[3] != ndim:
        raise _damaged(path, f"it starts with the bytes {content[:4].hex(' ') or '(none)'}", ndim)
    if len(content) < start:
        raise _damaged(path, "it ends within its header", ndim)
    shape = struct.unpack(f">{ndim}I", content[4:start])  # big-endian
    expected = start + math.prod(shape)
    if len(content) != expected:
        problem = "cut short" if len(content) < expected else "longer than its header says"
        raise _damaged(path, f"it is {problem}: {len(content):,} bytes of {expected:,}", ndim)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _decompressed(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(
            f"{path} is damaged: {error}",
            "a complete gzip file",
            "fetch the file again",
        ) from error
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}",
            "an idx file, plain or gzipped",
            "check the path",
        ) from error


def _damaged(path: Path, problem: str, ndim: int) -> FileError:
    magic = bytes((0, 0, _UNSIGNED_BYTE, ndim)).hex(" ")
    return FileError(
        f"{path} is not the expected idx file: {problem}",
        f"the bytes {magic}, {ndim} sizes of four bytes, and as many bytes as the sizes say",
        "fetch the file again",
    )
