"""Tells what a file of relprop's holds, from its first bytes, for errors about a wrong one.

Takes a path. Gives words, and the call that reads such a file. Runs and unpickles nothing.
"""

import json
import zipfile
from pathlib import Path
from typing import NamedTuple

_LARGEST_HEADER = 100_000_000  # bytes of JSON that safetensors allows


class FileKind(NamedTuple):
    """What a file is.

    Attributes:
        what: In words.
        reader: The call that reads it; "" if relprop reads no such file.
    """

    what: str
    reader: str = ""


def file_kind(path: Path) -> FileKind:
    """Tell what a file is: an explanation, plans, weights, an array, an archive, or something else.

    Args:
        path: A file that exists.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(b"\x93NUMPY"):
            return FileKind("a single array of numpy", f'numpy.load("{path}")')
        header = _header(file.read(min(int.from_bytes(start, "little"), _LARGEST_HEADER)))
    if header is not None:
        if "relprop" in (header.get("__metadata__") or {}):
            return FileKind("a file of plans", f'relprop.Explainer.load("{path}", model)')
        return FileKind("a file of weights", f'relprop.load_model("{path}")')
    if zipfile.is_zipfile(path):
        return _archive(path)
    return FileKind("empty" if not start else "text" if _is_text(path) else "of an unknown format")


def _header(content: bytes) -> dict[str, dict[str, object]] | None:
    """Return the header of a safetensors file; None for other content."""
    try:
        header = json.loads(content) if content.startswith(b"{") else None
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _archive(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return FileKind("a damaged archive")
    if "relprop.npy" in names:
        return FileKind("an explanation", f'relprop.Explanation.load("{path}")')
    if any(name.endswith("data.pkl") for name in names):
        return FileKind("a file of torch.save", f'torch.load("{path}", weights_only=True)')
    return FileKind("an archive of something else")


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(1000)
    try:
        return "\0" not in start[:996].decode("utf-8", errors="strict")
    except UnicodeDecodeError:
        return False
