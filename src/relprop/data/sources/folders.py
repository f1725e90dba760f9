"""Tells class and part of a file from the folders above it.

Takes paths relative to the data's folder. Gives labels and parts. Must not know what files hold.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError
from ..raw import PARTS


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


def classes_and_parts(
    paths: Sequence[PurePosixPath], source: object
) -> tuple[list[str], NDArray[np.str_]]:
    """Tell the class of each file, the folder that it is in, and its part, a folder above that.

    Args:
        paths: Of files, relative to the data's folder.
        source: The data's folder, as errors name it.

    Returns:
        Classes, and "train", "validation", "test" or "", (n,).

    Raises:
        FileError: A file is in no folder of a class.
    """
    above = [[name for name in path.parts[:-1] if name.lower() not in PARTS] for path in paths]
    bare = [path for path, names in zip(paths, above, strict=True) if not names]
    if bare:
        raise FileError(
            f"{source} has files that are in no folder of a class, such as {bare[0]}",
            "a folder for each class: cat/1.png, dog/2.png; train/ and test/ may stand above them",
            f"put {bare[0].name} into a folder that is named after its class, or take it away",
        )
    parts = [
        next((PARTS[name.lower()] for name in path.parts[:-1] if name.lower() in PARTS), "")
        for path in paths
    ]
    known = set(parts) - {""}
    if known - {"train"} and "" in parts:  # beside test/, the rest is to be trained on
        parts = [part or "train" for part in parts]
    elif len(known) == 1:  # a folder around all
        parts = [""] * len(parts)
    return [names[-1] for names in above], np.array(parts, "<U10")
