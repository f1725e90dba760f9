"""Reads pictures from a folder or an archive, or those that a table names, and makes them alike.

Takes a path, or a table. Gives pictures of one size and mode, with labels and official parts;
those that cannot be read are named. Must not know targets.
"""

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import FileError, first_line
from ...support.extras import needs
from ...support.progress import Progress
from ..dataset import Finding, Resize
from ..memory import Limit
from ..raw import RawData, objects
from ..words import counted, listed
from .folders import classes_and_parts, others_note, parts_of_paths
from .named_pictures import NamedPictures, find_named_pictures
from .picture_files import PICTURE_FILES, PictureFiles, list_pictures
from .picture_sizes import DEEP, make_alike

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES_OF_PICTURES = "names of pictures"  # what a finding is about, where a table names them
_LARGEST = 224  # pixels of the shorter side, to which larger pictures are reduced
_GREY = ("1", "L", "LA", "I", "I;16", "F")
_TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")
_ORIENTATION = 0x0112  # the entry of a photo that says how it is turned
_SHOWN = 3  # names of pictures that could not be read


def read_pictures(path: Path, limit: Limit, progress: Progress, resize: Resize = "crop") -> RawData:
    """Read the pictures of a folder or of an archive.

    Args:
        path: A folder, or a .tar or .zip file; in it CLASS/NAME.png, train/CLASS/NAME.png, ...
        limit: How much memory they may take.
        progress: Shows the reading.
        resize: How pictures of other sizes are brought to that of most.

    Raises:
        FileError: There are no pictures, none can be read, or one is in no folder of a class.
    """
    with needs("fit", "pictures"):
        import PIL  # noqa: F401
    with list_pictures(path) as files:
        if not files.names:
            given, allowed = f"{path} holds no pictures", f"files {', '.join(PICTURE_FILES)}"
            todo = "give another folder" if path.is_dir() else "unpack it, if it holds other data"
            raise FileError(given, allowed, todo)
        placed = classes_and_parts(files.names, path, annotated=files.annotated())
        unused = others_note(files.others)
        files = files.take(placed.rows)
        read = _read_all(files, progress, path, limit, resize)
    return RawData(
        modality="picture",
        samples=read.pixels,
        keys=[str(files.names[i]) for i in read.kept],
        labels=objects([placed.classes[i] for i in read.kept]),
        official=placed.parts[read.kept],
        findings=tuple(read.findings),
        warnings=(*placed.warnings, *unused, *read.warnings),
    )


def read_named_pictures(
    raw: RawData, path: Path, limit: Limit, progress: Progress, resize: Resize = "crop"
) -> RawData:
    """Read the pictures that a table names in one of its columns; the others are its labels.

    Args:
        raw: A table as it was read.
        path: Its file.
        limit: How much memory they may take.
        progress: Shows the reading.
        resize: How pictures of other sizes are brought to that of most.

    Returns:
        The rows whose picture can be read, with it; the table as it was where it names none.

    Raises:
        FileError: None can be read.
    """
    found = find_named_pictures(raw, path)
    if found is None:
        return raw
    with needs("fit", "pictures"):
        import PIL  # noqa: F401
    rows = np.array([i for i, file in enumerate(found.files) if file is not None], np.int64)
    rows = rows[_may_have_target(raw)[rows]]
    paths = [file for i in rows if (file := found.files[i]) is not None]
    names = [PurePosixPath(os.path.relpath(file, found.folder)) for file in paths]
    files = PictureFiles(names, lambda chosen: ((i, paths[i]) for i in chosen), {})
    read = _read_all(files, progress, path, limit, resize)
    some = raw.keep(rows[read.kept])
    official = (
        some.official
        if set(some.official) - {"train"}
        else parts_of_paths([names[i] for i in read.kept])
    )
    reason = f"column {found.column!r}, a file in each row"
    made = replace(
        some,
        modality="picture",
        keys=[str(names[i]) for i in read.kept],
        official=official,
        pictures=read.pixels,
        picture_column=found.column,
    )
    lacking = _lacking(raw, found)
    if "test" in raw.official and "test" not in official:
        lacking.append(
            "The test part has no targets: instead, a part of the rest is the test part."
        )
    return made.noting(
        Finding(NAMES_OF_PICTURES, f"in {path.name}", reason),
        *read.findings,
        warnings=[*lacking, *read.warnings],
    )


def _lacking(raw: RawData, found: NamedPictures) -> list[str]:
    """Say which rows name a picture that is not there, and how many name one again."""
    values, notes = raw.samples[found.column], []
    if without := [str(values.iloc[i]) for i, file in enumerate(found.files) if file is None]:
        rows = f"{counted(len(without), 'row')}: {listed(without, _SHOWN)}"
        notes.append(f"Left out, as there is no such picture: {rows}.")
    named = [file for file in found.files if file is not None]
    if again := len(named) - len(set(named)):
        notes.append(f"{counted(again, 'row')} that name a picture which an earlier row names.")
    return notes


def _may_have_target(raw: RawData) -> NDArray[np.bool_]:
    """Tell which rows are of a part that has targets: pictures of others are not decoded, (n,)."""
    useful = np.ones(len(raw.keys), bool)
    if len(raw.targets) == 1:  # of a column that a test part lacks
        present = raw.samples[raw.targets[0]].notna().to_numpy()
        useful[raw.official == "test"] = present[raw.official == "test"].any()
    return useful


@dataclass(frozen=True)
class _Read:
    """Pictures that could be read, made alike: their places among all, and what is to be said."""

    kept: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    findings: list[Finding]
    warnings: list[str]


def _read_all(
    files: PictureFiles, progress: Progress, path: Path, limit: Limit, resize: Resize
) -> _Read:
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
    kept = np.array(sorted(pictures), np.int64)
    pixels, findings, warnings = make_alike([pictures[int(i)] for i in kept], modes, resize)
    return _Read(kept, pixels, findings, [*note, *warnings])


def _that_fit(files: PictureFiles, path: Path, limit: Limit) -> tuple[list[int], list[str]]:
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
    if picture.mode in DEEP:
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
