"""Reads a bundle, which cannot run code, and checks it.

Takes a folder. Gives a BundleContent, or an error that says what is wrong with the folder.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from ..errors import FileError, first_line
from ..recipes.recipe import Recipe
from ..support.arguments import suggest
from ..support.files import as_path
from ..support.json_records import restore_record
from .content import BundleContent
from .write import BUNDLE_FILE, SCHEMA, TUNED_FILE

_FAMILY = SCHEMA.rsplit("-", 1)[0]
_HEADER = {"schema", "weights", "sha256", "content"}


def is_bundle(path: Path) -> bool:
    """Tell whether a path is a folder with a bundle."""
    return (path / BUNDLE_FILE).is_file()


def read_bundle(folder: str | Path) -> BundleContent:
    """Read a bundle.

    Args:
        folder: The folder that `relprop fit` wrote.

    Raises:
        InputError: `folder` is no path.
        FileError: It is missing, damaged, of a later version, or no bundle.
    """
    path = as_path(folder)
    header = _read_header(path)
    weights = _read_weights(path, header)
    if weights is None:  # another process has just replaced the bundle
        header = _read_header(path)
        weights = _read_weights(path, header)
    if weights is None:
        raise _damaged(path, f"{header['weights']} is missing")
    if hashlib.sha256(weights).hexdigest() != header["sha256"]:
        raise _damaged(path, f"the SHA256 of {header['weights']} is not the one in {BUNDLE_FILE}")
    try:
        tensors = safetensors.torch.load(weights)
        return restore_record(BundleContent, header["content"], tensors)
    except (SafetensorError, ValueError, RecursionError) as error:
        raise _damaged(path, first_line(error)) from error


def read_tuned_recipe(folder: str | Path) -> Recipe | None:
    """Read the recipe that `relprop tune` wrote into a bundle; None where there is none.

    Args:
        folder: The folder of the bundle.

    Raises:
        FileError: It cannot be read.
        InputError: It is no recipe.
    """
    path = as_path(folder) / TUNED_FILE
    if not path.is_file():
        return None
    try:
        return Recipe.from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path.parent, f"{TUNED_FILE} cannot be read: {first_line(error)}") from error


def _read_header(folder: Path) -> dict[str, Any]:
    """Read bundle.json."""
    file = folder / BUNDLE_FILE
    try:
        header = json.loads(file.read_bytes())
    except OSError as error:
        raise _no_bundle(folder) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, f"{BUNDLE_FILE} is not JSON: {first_line(error)}") from error
    schema = header.get("schema") if isinstance(header, dict) else None
    if isinstance(schema, str) and schema.startswith(f"{_FAMILY}-") and schema != SCHEMA:
        raise FileError(
            f"{folder} is a bundle of another version, {schema}",
            SCHEMA,
            "use the version of relprop that wrote it, or fit again",
        )
    if (
        schema != SCHEMA
        or header.keys() != _HEADER
        or Path(str(header["weights"])).name != (header["weights"])
    ):
        raise _damaged(folder, f"{BUNDLE_FILE} is not one that relprop fit writes")
    return dict(header)


def _read_weights(folder: Path, header: dict[str, Any]) -> bytes | None:
    """Read the weights; None if there is no such file."""
    file: Path = folder / header["weights"]
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(folder, f"{header['weights']} cannot be read: {error.strerror}") from error


def _no_bundle(folder: Path) -> FileError:
    given = f"{folder} is no bundle: it holds no {BUNDLE_FILE}"
    if not folder.exists():
        given = f"there is no folder {folder}"
    elif not folder.is_dir():
        given = f"{folder} is a file"
    allowed = f"a folder that relprop fit wrote, with a {BUNDLE_FILE}"
    make_one = "make one: relprop fit DATA --budget 10m --out bundle"
    return FileError(given, allowed, suggest(folder, bundles_beside(folder), make_one))


def bundles_beside(folder: Path) -> list[str]:
    """List the bundles that are where a folder is, or should be."""
    parent = folder.parent
    found = sorted(parent.iterdir()) if parent.is_dir() else []
    return [str(one) for one in found if is_bundle(one)]


def _damaged(folder: Path, problem: str) -> FileError:
    return FileError(
        f"the bundle {folder} is damaged or was changed: {problem}",
        f"{BUNDLE_FILE} and the weights that it names, as relprop fit wrote them",
        "copy both files again, or fit again",
    )
