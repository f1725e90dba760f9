"""Reads pictures from a folder or an archive with a folder for each class, and makes them alike.

Takes a path. Gives pictures of one size and mode, with labels and official parts; those that
cannot be read are named. Must not know targets.
"""

import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, first_line
from ...support.extras import needs
from ...support.progress import Progress
from ..dataset import Finding
from ..memory import Limit
from ..raw import RawData, objects
from ..words import counted, listed
from .folders import classes_and_parts, files_below, is_hidden
from .opened import read_text

if TYPE_CHECKING:
    from PIL.Image import Image

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
_LARGEST = 224  # pixels of the shorter side, to which larger pictures are reduced
_GREY = ("1", "L", "LA", "I", "I;16", "F")
_DEEP = ("I;16", "I", "F")
_TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")
_ORIENTATION = 0x0112  # the entry of a photo that says how it is turned
_SHOWN = 3  # names of pictures that could not be read


@dataclass(frozen=True)
class _Files:
    """Pictures of a folder or an archive: their names, and how one is opened.

    Attributes:
        names: Of the pictures.
        opened: Yields (place in names, file) for places, in the order that is fastest.
        notes: Files that name the classes of pictures -> what is written there.
    """

    names: list[PurePosixPath]
    opened: Callable[[Iterable[int]], Iterable[tuple[int, Any]]]
    notes: Mapping[PurePosixPath, str]

    def take(self, rows: NDArray[np.int64]) -> "_Files":
        """Return some of the pictures, by their numbers."""
        place = {int(row): i for i, row in enumerate(rows)}
        return _Files(
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


def read_pictures(path: Path, limit: Limit, progress: Progress) -> RawData:
    """Read the pictures of a folder or of an archive.

    Args:
        path: A folder, or a .tar or .zip file; in it CLASS/NAME.png, train/CLASS/NAME.png, ...
        limit: How much memory they may take.
        progress: Shows the reading.

    Raises:
        FileError: There are no pictures, none can be read, or one is in no folder of a class.
    """
    with needs("fit", "pictures"):
        import PIL  # noqa: F401
    with _listed(path) as files:
        if not files.names:
            given, allowed = f"{path} holds no pictures", f"files {', '.join(PICTURE_FILES)}"
            todo = "give another folder" if path.is_dir() else "unpack it, if it holds other data"
            raise FileError(given, allowed, todo)
        placed = classes_and_parts(files.names, path, annotated=files.annotated())
        files = files.take(placed.rows)
        read = _read_all(files, progress, path, limit)
    kept = np.array(sorted(read.pictures), np.int64)
    pixels, findings, warnings = _alike([read.pictures[int(i)] for i in kept], read.modes)
    return RawData(
        modality="picture",
        samples=pixels,
        keys=[str(files.names[i]) for i in kept],
        labels=objects([placed.classes[i] for i in kept]),
        official=placed.parts[kept],
        findings=tuple(findings),
        warnings=(*placed.warnings, *read.warnings, *warnings),
    )


@contextmanager
def _listed(path: Path) -> Iterator[_Files]:
    if path.is_dir():
        found = files_below(path)
        files = [p for p in found if p.suffix.lower() in PICTURE_FILES]
        names = [PurePosixPath(p.relative_to(path)) for p in files]
        said = [p for p in found if p.name.endswith(_ANNOTATIONS)]
        notes = {PurePosixPath(p.relative_to(path)): read_text(p)[0] for p in said}
        yield _Files(names, lambda chosen: ((i, files[i]) for i in chosen), notes)
        return
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                inside = sorted(filter(_is_picture, archive.namelist()))
                said = [name for name in archive.namelist() if name.endswith(_ANNOTATIONS)]
                yield _archived(
                    inside,
                    lambda chosen: ((i, _read_zipped(archive, inside[i])) for i in chosen),
                    {name: archive.read(name) for name in said},
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


def _listed_tar(path: Path) -> Iterator[_Files]:
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
        )


def _archived(names: list[str], opened: Any, said: Mapping[str, bytes]) -> _Files:
    """List the files of an archive without the folder that all of it is in."""
    paths = [PurePosixPath(name) for name in names]
    shorter = _without_top(paths)
    cut = len(paths[0].parts) - len(shorter[0].parts) if paths else 0
    notes = {PurePosixPath(*PurePosixPath(name).parts[cut:]): text for name, text in said.items()}
    return _Files(
        shorter, opened, {path: t.decode("utf-8", "replace") for path, t in notes.items()}
    )


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURE_FILES) and not is_hidden(PurePosixPath(name))


def _without_top(names: list[PurePosixPath]) -> list[PurePosixPath]:
    """Leave out the folder that all of an archive is in, if it is no class."""
    tops = {name.parts[0] for name in names}
    deep = all(len(name.parts) > 2 for name in names)
    return [PurePosixPath(*n.parts[1:]) for n in names] if len(tops) == 1 and deep else names


@dataclass(frozen=True)
class _Read:
    """Pictures that could be read, by their place; how many were of which mode; warnings."""

    pictures: dict[int, "Image"]
    modes: Counter[str]
    warnings: list[str]


def _read_all(files: _Files, progress: Progress, path: Path, limit: Limit) -> _Read:
    from PIL import Image

    unreadable = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
    chosen, note = _that_fit(files, path, limit)
    pictures: dict[int, Image.Image] = {}
    modes: Counter[str] = Counter()
    broken: list[str] = []
    with progress.stage("Reading pictures", len(chosen), "pictures") as advance:
        for place, file in files.opened(chosen):
            advance(1)
            try:
                with Image.open(file) as picture:
                    modes[picture.mode] += 1
                    pictures[place] = decode_picture(picture)
            except unreadable as error:
                broken.append(f"{files.names[place]} ({first_line(error)})")
    if not pictures:
        given = f"none of the {len(chosen):,} pictures in {path} can be read: {broken[0]}"
        raise FileError(given, "pictures that can be read", "look at the files")
    if broken:
        shown = listed(broken, _SHOWN)
        note.append(
            f"Left out, since they cannot be read: {counted(len(broken), 'picture')}: {shown}."
        )
    return _Read(pictures, modes, note)


def _that_fit(files: _Files, path: Path, limit: Limit) -> tuple[list[int], list[str]]:
    """Choose the pictures that fit into memory, judged by the first ones."""
    from PIL import Image

    sizes = []
    for _, file in files.opened(range(min(20, len(files.names)))):
        try:
            with Image.open(file) as picture:
                width, height = _reduced_size(*picture.size)
                sizes.append(width * height * (1 if picture.mode in _GREY else 3))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    count = len(files.names)
    # twice: as pictures, and as the array that they become
    size = int(2 * np.mean(sizes) * count) if sizes else 0
    rows, note = limit.choose(count, size, "pictures", path)
    return (list(range(count)) if rows is None else rows.tolist()), note


def _reduced_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, _LARGEST / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def decode_picture(picture: "Image") -> "Image":
    """Decode a picture, as small as it is needed, in grey or RGB, for training as for predicting.

    A photo is turned upright, what is transparent is white, 16 bits become 8.
    """
    from PIL import Image, ImageOps

    if picture.getexif().get(_ORIENTATION, 1) != 1:  # of a camera that was held upright
        picture = ImageOps.exif_transpose(picture)
    size = _reduced_size(*picture.size)
    if size != picture.size:
        picture.draft(None, size)  # a JPEG is decoded smaller at once
    if picture.mode in _DEEP:
        return Image.fromarray(_to_bytes(picture)).resize(size)
    transparent = picture.mode in _TRANSPARENT or "transparency" in picture.info
    if transparent:
        whole = picture.convert("RGBA")
        on_white = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
        made = on_white.convert("L" if picture.mode in _GREY else "RGB")
    else:
        made = picture.convert("L" if picture.mode in _GREY else "RGB")
    return made if made.size == size else made.resize(size, Image.Resampling.BOX)


def _to_bytes(picture: "Image") -> NDArray[np.uint8]:
    """Bring grey values of 16 bits, or floats from 0 to 1, to 0 to 255: alike in each picture."""
    values = np.asarray(picture, np.float64)
    scaled = values * (255 if picture.mode == "F" else 255 / 65535)
    return np.asarray(scaled.round().clip(0, 255), np.uint8)


def _alike(
    pictures: list["Image"], modes: Counter[str]
) -> tuple[NDArray[np.uint8], list[Finding], list[str]]:
    """Bring pictures to one size and one mode, and say what was done."""
    from PIL import ImageOps

    sizes = Counter(picture.size for picture in pictures)
    colour = any(picture.mode == "RGB" for picture in pictures)
    size = _common_size(sizes)
    mode, warnings = "RGB" if colour else "L", []
    if len({picture.mode for picture in pictures}) > 1:
        found = ", ".join(f"{count:,} {name}" for name, count in modes.most_common())
        warnings.append(f"Pictures are of several modes ({found}): all are converted to RGB.")
    if deep := sum(modes[mode] for mode in _DEEP):
        warnings.append(f"{counted(deep, 'picture')} of more than 8 bits: reduced to 8 bits.")
    if len(sizes) > 1:
        other = len(pictures) - sizes[size]
        warnings.append(
            f"{other:,} of {len(pictures):,} pictures are not of {size[1]} x {size[0]} pixels: "
            "they are resized to it, and what sticks out at two sides is cut off."
        )
    pixels = np.empty((len(pictures), size[1], size[0], 3 if colour else 1), np.uint8)
    for i, picture in enumerate(pictures):
        made = picture if picture.mode == mode else picture.convert(mode)
        made = made if made.size == size else ImageOps.fit(made, size)
        pixels[i] = np.asarray(made).reshape(pixels.shape[1:])
    shape = f"{len(pictures):,}, {size[1]} x {size[0]}, {'RGB' if colour else 'grey'}"
    return pixels, [Finding("pictures", shape, f"files of mode {', '.join(modes)}")], warnings


def _common_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """Choose the size that most pictures have; without a majority the middle of all, square."""
    size, count = sizes.most_common(1)[0]
    if 2 * count >= sizes.total():
        return size
    sides = np.repeat([min(one) for one in sizes], list(sizes.values()))
    side = int(np.median(sides))
    return side, side
