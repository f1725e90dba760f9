"""Tells by looking at a path how data is laid out there, and lets its reader read it.

Takes a path or a name. Gives what the reader found. Must not know what formats hold.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...errors import FileError, InputError, RelpropError
from ...support.arguments import suggest
from ...support.progress import Progress
from ..memory import Limit
from ..options import DataOptions
from ..raw import PARTS, RawData
from ..words import counted, listed
from .arrays import ARRAY_SUFFIXES, read_arrays
from .folders import are_classes, files_below
from .hub import PREFIX, is_saved_dataset, read_hub
from .idx import family_of, has_idx_files, read_idx_folder
from .labels_apart import labels_beside
from .named_pictures import find_named_pictures
from .opened import plain_stem, plain_suffix
from .parts_beside import tables_of_training, test_beside, validation_beside
from .picture_files import PICTURE_FILES, is_archive
from .picture_index import holds_pictures
from .pictures import read_named_pictures, read_pictures
from .series import is_series_file, read_series_file
from .series_files import read_series_folders
from .table_formats import CONVERTED, refuse_converted
from .tables import DELIMITED, TABLES, LabelFiles, read_table_file
from .texts import are_texts, read_class_files, read_class_folders

_TEST = re.compile(r"(^|[-_. ])test(ing)?$", re.IGNORECASE)
_ABOUT = re.compile(r"(readme|licen[cs]e|notice|changelog|requirements)\b", re.IGNORECASE)
_SUBMISSION = re.compile(r"submission", re.IGNORECASE)  # tables to be filled in, of competitions
_KINDS = (
    "a table, .npz, .pt, .ts, texts, an archive, or a folder of idx files, pictures, texts, series"
)


def read_source(
    source: str | Path, options: DataOptions, limit: Limit, progress: Progress
) -> RawData:
    """Read data from a path, or from the Hugging Face hub.

    Raises:
        FileError: There is nothing, or nothing that can be read.
        InputError: There are several data sets.
    """
    if str(source).startswith(PREFIX):
        _refuse_test(options, "a data set of the Hugging Face hub")
        return read_hub(str(source), options, limit)
    path = Path(source)
    if path.is_dir():
        return _read_folder(path, options, limit, progress)
    if path.is_file():
        return _read_file(path, options, limit, progress)
    if path.parent.is_dir() and has_idx_files(path.parent):
        _refuse_test(options, "idx files")
        return read_idx_folder(path.parent, limit, path.name)
    raise _missing(path)


def _missing(path: Path) -> FileError:
    folder = next(parent for parent in path.parents if parent.is_dir())
    below = path.relative_to(folder).parts[0]
    names = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    near = suggest(
        below, names, f"write a path, or {PREFIX}{path} for a name of the Hugging Face hub"
    )
    todo = near if near.startswith("write a") else f"write {folder / near[7:-1]}"
    return FileError(
        f"there is no file or folder {path}", f"in {folder}: {listed(names, 12) or 'nothing'}", todo
    )


def _read_file(path: Path, options: DataOptions, limit: Limit, progress: Progress) -> RawData:
    refuse_converted(path)
    test, validation = _test_of(path, options), validation_beside(path)
    validation = None if validation == test else validation
    labels, suffix = labels_beside(path), plain_suffix(path)
    unused = [f"{validation} is not used."] if validation else []
    if suffix in ARRAY_SUFFIXES:
        return read_arrays(path, limit, test, options.modality).noting(warnings=unused)
    if labels is None and is_series_file(path, options):
        return read_series_file(path, limit, test).noting(warnings=unused)
    family = family_of(path)
    if (suffix in TABLES or not suffix) and family is None and not is_archive(path):
        others = (one and labels_beside(one) for one in (test, validation))
        every = LabelFiles(labels, *others)
        # of competitions in pictures, whose test.csv names them alone
        found = options.test is None and holds_pictures(path.parent)
        raw = read_table_file(path, limit, test, every, validation=validation, found=found)
        if options.modality not in (None, "picture"):
            return raw
        return read_named_pictures(raw, path, limit, progress, options.resize or "crop")
    _refuse_test(options, path.name)
    if is_archive(path):
        return read_pictures(path, limit, progress, options.resize or "crop")
    if family is not None:
        return read_idx_folder(path.parent, limit, family)
    if suffix in PICTURE_FILES:
        given = f"{path} is a single picture"
        raise FileError(given, "a folder with a folder for each class", f"write {path.parent}")
    if len(files := _class_files(path)) > 1:
        return read_class_files(files, limit)
    raise FileError(f"{path} is of no known kind of data", _KINDS, "give another path")


def _refuse_test(options: DataOptions, what: str) -> None:
    """Refuse a test part of its own for data that has its parts inside."""
    if options.test is not None:
        raise InputError(
            f"a test part {options.test} beside {what}",
            "a test part of a table, of arrays, or of a file of series",
            "put both into a folder, as train/ and test/, and leave the test part out",
        )


def _test_of(path: Path, options: DataOptions) -> Path | None:
    """Find the official test part: the one that the user names, or one beside the file."""
    if options.test is not None:
        given = Path(options.test)
        if not given.is_file():
            raise _missing(given)
        refuse_converted(given)
        return given
    return test_beside(path)


def _class_files(path: Path) -> list[Path]:
    """List the files that have the name of this one, and other endings: a class in each."""
    stem = plain_stem(path)
    beside = path.parent.iterdir()
    same = [one for one in beside if plain_stem(one) == stem and one.is_file()]
    known = (*TABLES, *CONVERTED, ".names", ".md", ".npz", ".pt")
    return [one for one in same if plain_suffix(one) not in known]


def _read_folder(path: Path, options: DataOptions, limit: Limit, progress: Progress) -> RawData:
    _refuse_several(path)
    files = sorted(one for one in path.iterdir() if one.is_file() and one.name[0] != ".")
    data = [one for one in files if _is_data(one)]
    below = files_below(path)
    inside = {plain_suffix(one) for one in below}
    pictures = bool(inside & set(PICTURE_FILES))
    saved, idx = is_saved_dataset(path), has_idx_files(path)
    if data and not (pictures or saved or idx):
        return _read_file(_only(data, path), options, limit, progress)
    if not (pictures or saved or idx) and (tables := tables_of_training(path, TABLES)):
        file = _only(tables, path)
        beside = {one for one in file.parent.iterdir() if one.is_file()}
        others = sorted(beside - {file, labels_beside(file)})
        raw = _read_file(file, options, limit, progress)
        return raw.noting(warnings=[f"{one} is not used." for one in others])
    _refuse_test(options, f"the folder {path}")
    if saved:
        return read_hub(str(path), options, limit)
    if idx:
        return read_idx_folder(path, limit)
    if pictures:
        found = [one for one in below if one.suffix.lower() in PICTURE_FILES]
        classes = are_classes([PurePosixPath(one.relative_to(path)) for one in found])
        if (table := _table_of_pictures(path, data, classes, limit)) is not None:
            return _read_named(table, path, data, options, limit, progress)
        unused = [f"{path} holds {one.name}, which is not used." for one in data]
        resize = options.resize or "crop"
        return read_pictures(path, limit, progress, resize).noting(warnings=unused)
    return _read_texts_or_series(path, files, inside, limit)


def _read_named(
    table: Path,
    path: Path,
    data: Sequence[Path],
    options: DataOptions,
    limit: Limit,
    progress: Progress,
) -> RawData:
    """Read the pictures of a folder that a table there names."""
    raw = _read_file(table, options, limit, progress)
    if raw.pictures is None:
        raise FileError(
            f"{table} names none of the pictures in {path}",
            "a folder for each class, or a table with a column of the names of pictures",
            f"write {table} to learn from it alone, or put pictures into folders of classes",
        )
    of_parts = {table, test_beside(table), validation_beside(table)}
    others = [one for one in data if one not in of_parts]
    return raw.noting(warnings=[f"{path} holds {one.name}, which is not used." for one in others])


def _table_of_pictures(
    path: Path, data: Sequence[Path], classes: bool, limit: Limit
) -> Path | None:
    """Choose the table of a folder that is to name its pictures.

    Args:
        path: The folder.
        data: Files of data in it.
        classes: Whether folders in it may be classes.
        limit: How much may be read.

    Raises:
        InputError: There are several tables, or classes by folders as well as a table of pictures.
    """
    parts = [one for one in sorted(path.iterdir()) if PARTS.get(one.name.lower()) == "train"]
    inside = [one for folder in parts if folder.is_dir() for one in sorted(folder.iterdir())]
    for files in (data, inside):
        tables = [one for one in files if _is_data(one) and plain_suffix(one) in TABLES]
        if tables := [one for one in tables if not _SUBMISSION.search(one.name)]:
            break
    if not tables or (classes and len(tables) > 1):
        return None
    table = _only(tables, path)
    if classes:
        try:
            named = find_named_pictures(read_table_file(table, limit), table)
        except RelpropError:  # other data
            return None
        if named is None:
            return None
        given = f"{path} has folders that may be classes, and {table.name}, which names pictures"
        todo = f"write {table} to learn from its columns, or take it away"
        raise InputError(given, "classes by folders, or by a table", todo)
    return table


def _read_texts_or_series(
    path: Path, files: Sequence[Path], inside: set[str], limit: Limit
) -> RawData:
    found = [one for one in files if plain_suffix(one) == ".txt"]
    texts = [one for one in found if not _ABOUT.match(one.name)]
    unused = [f"{path} holds {one.name}, which is not used." for one in found if one not in texts]
    if len(texts := texts if len(texts) > 1 else _with_one_stem(files)) > 1:
        return read_class_files(texts, limit).noting(warnings=unused)
    if ".txt" in inside:
        return read_class_folders(path, limit)
    if inside & {".csv", ".tsv"}:
        return read_series_folders(path, limit)
    for one in files:
        refuse_converted(one)
    if not inside & {*TABLES, *ARRAY_SUFFIXES, *CONVERTED} and are_texts(path):
        return read_class_folders(path, limit)
    raise FileError(f"{path} holds no data of a known kind", _KINDS, "give another path")


def _is_data(path: Path) -> bool:
    suffix = plain_suffix(path)
    if suffix == ".txt":  # a text, unless it is a part of a table, or has its labels beside it
        part = test_beside(path) is not None or _TEST.search(plain_stem(path)) is not None
        return part or labels_beside(path) is not None
    return suffix in (*TABLES, *ARRAY_SUFFIXES, ".ts") or is_archive(path)


def _only(files: Sequence[Path], folder: Path) -> Path:
    """Return the file to read: the only one, or the training part of the only pair."""
    labels = {labels_beside(one) for one in files}
    files = [one for one in files if one not in labels]
    if len(files) == 1:
        return files[0]
    parts = {one: {test_beside(one), validation_beside(one)} for one in files}
    pairs = {one: found for one, found in parts.items() if found & {*files}}
    if len(pairs) == 1:
        ((train, found),) = pairs.items()
        if all(plain_stem(one) == plain_stem(train) for one in {*files} - {train} - found):
            return train
    raise InputError(
        f"{folder} holds {len(files)} files of data",
        listed([one.name for one in files], 12),
        f"write the path of one: {next(iter(pairs), files[0])}",
    )


def _with_one_stem(files: Sequence[Path]) -> list[Path]:
    """Return files that differ in their ending alone, which names the class."""
    known = (*DELIMITED, *CONVERTED, "", ".md", ".names")
    unknown = [one for one in files if plain_suffix(one) not in known]
    stems = {plain_stem(one) for one in unknown}
    return unknown if len(stems) == 1 else []


def _refuse_several(path: Path) -> None:
    """Refuse a folder of folders that are data sets themselves."""
    folders = sorted(
        one for one in path.iterdir() if one.is_dir() and one.name.lower() not in PARTS
    )
    sets = [
        one for one in folders if has_idx_files(one) or any(map(_is_training_part, one.iterdir()))
    ]
    if sets:
        files = sorted(one for one in path.iterdir() if one.is_file() and _is_data(one))
        names = [one.name for one in (*folders, *files)]
        given = f"{path} holds {counted(len(names), 'data set')}"
        raise InputError(given, listed(names, 12), f"write {sets[0]}")


def _is_training_part(path: Path) -> bool:
    return path.is_file() and _is_data(path) and test_beside(path) is not None
