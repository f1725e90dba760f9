"""Tells class and part of a file from the folders above it.

Takes paths relative to the data's folder. Gives labels and parts. Must not know what files hold.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ..raw import PARTS
from ..words import counted, listed

INSIDE = {"images", "image", "imgs", "img"}  # folders that classes, or parts, are kept in
_PIECE = re.compile(r".*(part|batch|images|shard)[-_ ]?\d+", re.IGNORECASE)  # of one large folder
_OF_SYSTEMS = ("Thumbs.db", "desktop.ini")
_UNLABELLED = {"unsup", "unsupervised", "unlabeled", "unlabelled"}


def is_hidden(path: PurePosixPath) -> bool:
    """Tell whether a file, or a folder above it, is none of the user's: .ipynb_checkpoints/1.png.

    Args:
        path: Relative to the data's folder.
    """
    return any(name.startswith(".") or name == "__MACOSX" for name in path.parts)


def files_below(folder: Path) -> list[Path]:
    """List the files in a folder and in those below it, without hidden ones, in order."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(p for p in files if not is_hidden(PurePosixPath(p.relative_to(folder))))


def others_note(paths: Iterable[PurePosixPath]) -> list[str]:
    """Say how many files are of kinds that are not read; those in no folder are about the data.

    Args:
        paths: Of the files that are not read, relative to the data's folder.
    """
    inside = (path for path in paths if len(path.parts) > 1 and path.name not in _OF_SYSTEMS)
    others = Counter(path.suffix.lower() or "without an ending" for path in sorted(inside))
    kinds = [f"{counted(n, 'file')} {ending}" for ending, n in others.most_common()]
    return [f"Not used, as of other kinds: {listed(kinds)}."] if kinds else []


@dataclass(frozen=True)
class PlacedFiles:
    """Files with their class and part.

    Attributes:
        rows: Numbers of the files that have a class, (n,).
        classes: Their classes.
        parts: "train", "validation", "test" or "" of each, (n,).
        warnings: Which files were left out.
    """

    rows: NDArray[np.int64]
    classes: list[str]
    parts: NDArray[np.str_]
    warnings: list[str]


def classes_and_parts(
    paths: Sequence[PurePosixPath],
    source: object,
    *,
    annotated: Mapping[PurePosixPath, str] | None = None,
    loose: bool = False,
) -> PlacedFiles:
    """Tell the class of each file, the folder that it is in, and its part, a folder above that.

    Where all files are in a folder images/, the class is the folder above that. Files of a folder
    unsup/ have no class, and are left out.

    Args:
        paths: Of files, relative to the data's folder.
        source: The data's folder, as errors name it.
        annotated: Files whose class is written in another file.
        loose: Whether single files in no folder of a class are about the data: left out.

    Raises:
        FileError: A file is in no folder of a class.
    """
    said = annotated or {}
    above = [[name for name in path.parts[:-1] if name.lower() not in PARTS] for path in paths]
    if inside := _inside_classes(above):
        above = [names[:-1] for names in above]
    pairs = list(zip(paths, above, strict=True))
    classes = [said.get(path) or _class_of(names) for path, names in pairs]
    bare = [path for path, names in pairs if not names and path not in said]
    may_lack = inside or (loose and 2 * len(bare) < len(paths))
    if (bare and not may_lack) or not any(classes):
        raise _without_class(source, next(iter(bare), paths[0]))
    rows = np.flatnonzero(classes)
    left = Counter(str(path.parent) for path, name in zip(paths, classes, strict=True) if not name)
    warnings = [f"Left out, as without a class: {_counts(left)}."] if left else []
    kept = rows.tolist()
    return PlacedFiles(
        rows, [classes[i] for i in kept], parts_of_paths([paths[i] for i in kept]), warnings
    )


def part_in_name(folder: str) -> str:
    """Return the part that the name of a folder says: "test" of test_images; "" for none."""
    words = re.split(r"[-_. ]", folder.lower())
    return next((PARTS[word] for word in words if word in PARTS), "")


def are_classes(paths: Iterable[PurePosixPath]) -> bool:
    """Tell whether files are in several folders that may be their classes.

    Folders that are called as parts, such as test_images, and pieces of one are none.

    Args:
        paths: Of files, relative to the data's folder.
    """
    above = [[name for name in path.parts[:-1] if not part_in_name(name)] for path in paths]
    if _inside_classes(above):
        above = [names[:-1] for names in above]
    names = {_class_of(one) for one in above}
    return len({name for name in names if name and not _PIECE.fullmatch(name)} - INSIDE) > 1


def _class_of(above: Sequence[str]) -> str:
    """Return the nearest folder above a file; "" for none, or one of files without a class."""
    return above[-1] if above and above[-1].lower() not in _UNLABELLED else ""


def _without_class(source: object, first: PurePosixPath) -> FileError:
    return FileError(
        f"{source} has files that are in no folder of a class, such as {first}",
        "a folder for each class: cat/1.png, dog/2.png; train/ and test/ may stand above them; of "
        "pictures also a table with a column of their names: labels.csv",
        f"put {first.name} into a folder that is named after its class, or take it away",
    )


def _inside_classes(above: Sequence[Sequence[str]]) -> bool:
    """Tell whether all files are in folders such as images/, some of them inside of classes."""
    nearest = {names[-1].lower() if names else "" for names in above}
    return nearest <= INSIDE and any(len(names) > 1 for names in above)


def _counts(files: Counter[str]) -> str:
    return listed([f"{counted(n, 'file')} in {name}/" for name, n in files.most_common()])


def parts_of_paths(paths: Sequence[PurePosixPath]) -> NDArray[np.str_]:
    """Tell the parts of files from the folders above them; "" where there are none."""
    parts = [
        next((PARTS[name.lower()] for name in path.parts[:-1] if name.lower() in PARTS), "")
        for path in paths
    ]
    known = set(parts) - {""}
    if known - {"train"} and "" in parts:  # beside test/, the rest is to be trained on
        parts = [part or "train" for part in parts]
    elif len(known) == 1:  # a folder around all
        parts = [""] * len(parts)
    return np.array(parts, "<U10")
