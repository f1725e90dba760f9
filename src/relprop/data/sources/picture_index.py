"""Finds pictures below a folder by what tables call them: paths, names, stems.

Takes a folder. Gives files. Must not know tables.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .picture_files import PICTURE_FILES

_DEEPEST = 4  # folders below the first


def holds_pictures(folder: Path) -> bool:
    """Tell whether there are pictures in a folder, or at most two folders below it."""
    for place, folders, files in _walk(folder):
        if any(PictureIndex.is_picture(name) for name in files):
            return True
        if len(place.relative_to(folder).parts) > 1:
            folders.clear()
    return False


class PictureIndex:
    """The pictures below a folder, without hidden ones.

    Attributes:
        counts: Folder -> how many pictures are in it.

    Args:
        folder: Where to look.
    """

    def __init__(self, folder: Path) -> None:
        self.counts: Counter[Path] = Counter()
        self._files: dict[str, list[Path]] = {}
        for place, _, names in _walk(folder):
            above = place.relative_to(folder).parts
            for name in filter(self.is_picture, names):
                self.counts[place] += 1
                stem = name.rpartition(".")[0]
                for start in range(len(above) + 1):
                    for last in (name, stem):
                        key = "/".join([*above[start:], last]).lower()
                        self._files.setdefault(key, []).append(place / name)

    @staticmethod
    def is_picture(name: str) -> bool:
        """Tell whether a file is a picture, by its ending."""
        return name.lower().endswith(PICTURE_FILES)

    def find(self, name: str) -> list[Path]:
        """Return the pictures that have a name: a path, of which first folders may lack, or a stem.

        Args:
            name: As it is written in a table, in capital letters or not.
        """
        if os.path.isabs(name) and os.path.isfile(name):
            return [Path(name)]
        key = name.replace("\\", "/").lower().removeprefix("./").strip("/")
        while key and key not in self._files:
            key = key.partition("/")[2]  # written for another folder: data/images/1.png
        return self._files.get(key, [])


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk folders in order, without hidden ones, and those that cannot be read."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(one for one in folders if one[0] != "." and one != "__MACOSX")
        if len(here.relative_to(folder).parts) >= _DEEPEST:
            folders.clear()
        yield here, folders, sorted(one for one in files if one[0] != ".")
