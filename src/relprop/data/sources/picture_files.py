"""Lists the pictures of a folder or an archive, and opens them.

Takes a path. Gives names of pictures, files to read them from, and classes that other files name.
Must not know what pictures hold.
"""

import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, first_line
from .folders import files_below, is_hidden
from .opened import read_text

PICTURE_FILES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
)
ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip")
_ANNOTATIONS = "annotations.txt"  # how files end that name the classes of pictures


@dataclass(frozen=True)
class PictureFiles:
    """Pictures of a folder or an archive: their names, and how one is opened.

    Attributes:
        names: Of the pictures.
        opened: Yields (place in names, file) for places, in the order that is fastest.
        notes: Files that name the classes of pictures -> what is written there.
        others: Names of all other files.
    """

    names: list[PurePosixPath]
    opened: Callable[[Iterable[int]], Iterable[tuple[int, Any]]]
    notes: Mapping[PurePosixPath, str]
    others: Sequence[PurePosixPath] = ()

    def take(self, rows: NDArray[np.int64]) -> "PictureFiles":
        """Return some of the pictures, by their numbers."""
        place = {int(row): i for i, row in enumerate(rows)}
        return PictureFiles(
            [self.names[row] for row in rows],
            lambda chosen: ((place[i], f) for i, f in self.opened([int(rows[c]) for c in chosen])),
            self.notes,
        )

    def annotated(self) -> dict[PurePosixPath, str]:
        """Return the pictures whose class is written in a file: its name, then the class."""
        found = {}
        for path, text in self.notes.items():
            lines = [line.split() for line in text.splitlines()]
            classes = {line[0]: line[1] for line in lines if len(line) > 1}
            below = [one for one in self.names if path.parent in one.parents]
            found.update({one: classes[one.name] for one in below if one.name in classes})
        return found


def is_archive(path: Path) -> bool:
    """Tell whether a file is an archive, by its name."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


@contextmanager
def list_pictures(path: Path) -> Iterator[PictureFiles]:
    """List the pictures of a folder or an archive, which is open meanwhile."""
    if path.is_dir():
        found = files_below(path)
        files = [p for p in found if p.suffix.lower() in PICTURE_FILES]
        names = [PurePosixPath(p.relative_to(path)) for p in files]
        said = [p for p in found if p.name.endswith(_ANNOTATIONS)]
        notes = {PurePosixPath(p.relative_to(path)): read_text(p)[0] for p in said}
        others = [PurePosixPath(p.relative_to(path)) for p in {*found} - {*files, *said}]
        yield PictureFiles(names, lambda chosen: ((i, files[i]) for i in chosen), notes, others)
        return
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                inside = sorted(filter(_is_picture, archive.namelist()))
                listed = [name for name in archive.namelist() if name.endswith(_ANNOTATIONS)]
                yield _archived(
                    inside,
                    lambda chosen: ((i, _read_zipped(archive, inside[i])) for i in chosen),
                    {name: _read_zipped(archive, name).getvalue() for name in listed},
                    [name for name in archive.namelist() if not name.endswith("/")],
                )
        else:
            yield from _listed_tar(path)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, FileError):
            raise
        given = f"the archive {path} cannot be read: {first_line(error)}"
        todo = "unpack it and write the path of its folder, or fetch it again"
        raise FileError(given, "a whole .tar or .zip file, without password", todo) from error


def _read_zipped(archive: zipfile.ZipFile, name: str) -> BytesIO:
    try:
        return BytesIO(archive.read(name))
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in another way
        raise zipfile.BadZipFile(first_line(error)) from error


def _listed_tar(path: Path) -> Iterator[PictureFiles]:
    # Opened once, uncompressed in memory: to seek in a compressed file is to read it again.
    with tarfile.open(path) as archive:
        members = [m for m in archive if m.isfile() and _is_picture(m.name)]
        contents = {m.name: archive.extractfile(m) for m in members}
        names = [m.name for m in members]
        said = [m for m in archive if m.isfile() and m.name.endswith(_ANNOTATIONS)]
        yield _archived(
            names,
            lambda chosen: ((i, contents[names[i]]) for i in chosen),
            {m.name: file.read() for m in said if (file := archive.extractfile(m))},
            [m.name for m in archive if m.isfile()],
        )


def _archived(
    names: list[str], opened: Any, said: Mapping[str, bytes], every: Iterable[str]
) -> PictureFiles:
    """List the files of an archive without the folder that all of it is in."""
    paths = [PurePosixPath(name) for name in names]
    shorter = _without_top(paths)
    cut = len(paths[0].parts) - len(shorter[0].parts) if paths else 0
    notes = {_cut(name, cut): text.decode("utf-8", "replace") for name, text in said.items()}
    others = {*every} - {*names, *said}
    visible = [_cut(name, cut) for name in others if not is_hidden(PurePosixPath(name))]
    return PictureFiles(shorter, opened, notes, visible)


def _cut(name: str, folders: int) -> PurePosixPath:
    return PurePosixPath(*PurePosixPath(name).parts[folders:])


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURE_FILES) and not is_hidden(PurePosixPath(name))


def _without_top(names: list[PurePosixPath]) -> list[PurePosixPath]:
    """Leave out the folder that all of an archive is in, if it is no class."""
    tops = {name.parts[0] for name in names}
    deep = all(len(name.parts) > 2 for name in names)
    return [PurePosixPath(*n.parts[1:]) for n in names] if len(tops) == 1 and deep else names
