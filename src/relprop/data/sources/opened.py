"""Opens files that may be compressed, and names what is wrong with them.

Takes paths. Gives text, bytes, and names without the endings of compression. Must not know what
the files hold.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ...errors import FileError, first_line

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def plain_name(path: Path) -> str:
    """Return the name of a file without the ending of a compression."""
    return path.name.removesuffix(path.suffix) if path.suffix in _OPENERS else path.name


def plain_suffix(path: Path) -> str:
    """Return the last ending of a file's name in small letters, without that of a compression."""
    return Path(plain_name(path)).suffix.lower()


def plain_stem(path: Path) -> str:
    """Return the name of a file without its ending, and without that of a compression."""
    return Path(plain_name(path)).stem


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, decompressed while it is read.

    Raises:
        FileError: It is missing, or damaged.
    """
    opener = _OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rb") as file:
            yield file
    except FileError:
        raise
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        given = f"{path} is damaged: {first_line(error)}"
        raise FileError(given, "a complete file", "fetch the file again") from error
    except OSError as error:
        given = f"{path} cannot be read: {error.strerror or first_line(error)}"
        raise FileError(given, "a file that can be read", "check the path") from error


def encoding_of(path: Path) -> str:
    """Tell whether a file is UTF-8; else it is read as Latin-1, in which every byte is a letter."""
    with open_bytes(path) as file:
        start = file.read(2)
        if start in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
    with open_bytes(path) as file:
        while block := file.read(2**22):
            try:
                # a block may end within a letter, which has at most four bytes
                (block + file.readline()).decode("utf-8")
            except UnicodeDecodeError:
                return "latin-1"
    return "utf-8-sig"


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of a file, and its encoding.

    Raises:
        FileError: It is missing, damaged, or no text.
    """
    encoding = encoding_of(path)
    with open_bytes(path) as file:
        text = file.read().decode(encoding)
    if "\0" in text:
        given = f"{path} is no text: it holds bytes that are 0"
        raise FileError(given, "text in UTF-8 or Latin-1", "save it as text, or take it away")
    return text, encoding
