"""Folders of results that are replaced as a whole, or not at all.

Takes a folder and files by name. An error or Ctrl-C leaves the old folder as it was. Must not know
what the files hold.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import FileError
from .files import make_folder, try_folder, write_file


def check_folder(out: Path, is_own: Callable[[Path], bool], owner: str) -> None:
    """Raise FileError unless a folder is new, empty, or holds only what an earlier run wrote.

    It must be possible to create the folder, and another one beside it.

    Args:
        out: The folder.
        is_own: Tells whether a folder with files holds only what an earlier run wrote.
        owner: What writes it, as errors name it: "demo".
    """
    out = Path(os.path.realpath(out))
    if Path.cwd().is_relative_to(out):
        reason = "it is the folder that this command runs in, or contains it"
        raise _refusal(out, reason, owner)
    if os.path.isdir(out) and any(out.iterdir()) and not is_own(out):
        raise _refusal(out, f"it holds files that no {owner} wrote", owner)
    try_folder(out)
    try_folder(_beside(out))


def replace_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Replace the content of a folder by files; their names may have a folder in them."""
    out = Path(os.path.realpath(out))
    new, old = _beside(out), _beside(out)
    try:
        make_folder(new)
        for name, content in files.items():
            make_folder((new / name).parent)
            write_file(new / name, content)
        if out.exists():
            out.rename(old)
        new.rename(out)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def has_schema(path: Path, schema: str) -> bool:
    """Tell whether a file is JSON of a schema, which an earlier run named in it."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("schema") == schema


def _beside(out: Path) -> Path:
    """Name a new folder beside `out`."""
    return out.with_name(f".{out.name[:40]}.{secrets.token_hex(4)}")


def _refusal(out: Path, reason: str, owner: str) -> FileError:
    return FileError(
        f"{out} cannot take the results: {reason}",
        f"a folder that is new, empty, or holds only what an earlier {owner} wrote",
        "give another folder with --out",
    )
