"""Finds the files of the test and the validation part of a table: train.csv, val.csv, test.csv.

Takes the path of the training part. Gives paths, or none. Must not know what files hold.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .labels_apart import labels_beside
from .opened import plain_name, plain_suffix

_TRAINING = ("train", "training")
_TRAIN = re.compile(r"(^|[-_. ])(train|training)(?=$|[-_. ])", re.IGNORECASE)
_VALIDATION = ("val", "valid", "validation", "dev")


def test_beside(path: Path) -> Path | None:
    """Find the file of the test part that is named like this one of the training part."""
    return _beside(path, ("test",))


def validation_beside(path: Path) -> Path | None:
    """Find the file of the validation part that is named like this one of the training part."""
    return _beside(path, _VALIDATION)


def tables_of_training(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """List the tables in the folder train/ of a folder, beside which there is test/."""
    folders = [one for one in sorted(path.iterdir()) if one.name.lower() in _TRAINING]
    files = [one for folder in folders if folder.is_dir() for one in sorted(folder.iterdir())]
    tables = [one for one in files if one.is_file() and plain_suffix(one) in suffixes]
    labels = {labels_beside(one) for one in tables}
    return [one for one in tables if one not in labels and test_beside(one)]


def _may_be_table(path: Path) -> bool:
    """Tell whether a file is no text: without labels beside it a .txt file is one."""
    return plain_suffix(path) != ".txt" or labels_beside(path) is not None


def _beside(path: Path, words: Sequence[str]) -> Path | None:
    """Find the file of a part that is named like this one of the training part.

    Args:
        path: Beside it, or in a folder of the part beside its folder train/, the file is.
        words: What the part may be called.
    """
    name = plain_name(path)
    for word in words:
        other = _TRAIN.sub(partial(_instead, word), name)
        folders = {path.parent: {other}}
        if path.parent.name.lower() in _TRAINING and _may_be_table(path):
            folders[path.parent.with_name(_in_case_of(path.parent.name, word))] = {name, other}
        elif name.endswith(".data"):
            folders[path.parent].add(name.removesuffix(".data") + f".{word}")
        for folder, names in folders.items():
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            found = [one for one in files if plain_name(one) in names and one != path]
            if found and (folder != path.parent or plain_name(found[0]) != name):
                return found[0]
    return None


def _instead(word: str, match: re.Match[str]) -> str:
    return f"{match[1]}{_in_case_of(match[2], word)}"


def _in_case_of(model: str, word: str) -> str:
    return word.upper() if model.isupper() else word.title() if model[0].isupper() else word
