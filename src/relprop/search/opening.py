"""The folder of a fit: new, or that of a search on the same data, which goes on.

Takes a folder and what identifies a search. Must not know how a search is run.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from ..bundles.read import is_bundle
from ..errors import FileError, InputError
from ..support.files import make_folder, try_folder, write_file

SEARCH = "search"
_RECORD = "search.json"
_SCHEMA = "relprop-search-2"
_MEANINGS = {
    "data": "other data, or data that was read with other options",
    "split": "the same data in other parts",
    "order": "the same data in another order",
    "space": "another search space",
    "encoder": "another encoder",
    "seed": "another seed",
}


def check_fit_folder(out: Path) -> None:
    """Raise FileError unless a folder is new, empty or that of an earlier fit, and writable."""
    if out.is_dir() and any(out.iterdir()) and not ((out / SEARCH).is_dir() or is_bundle(out)):
        raise FileError(
            f"{out} cannot take the results: it holds files that no fit wrote",
            "a folder that is new, empty, or that of an earlier fit",
            "give another folder with --out",
        )
    try_folder(out)


def memory_of_search(out: Path) -> int | None:
    """Return the bytes that the samples of the search in a folder may take; None: there is none."""
    try:
        return int(json.loads((out / SEARCH / _RECORD).read_bytes())["memory"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # what is damaged is said when the search is opened


def open_search(out: Path, identity: Mapping[str, object], memory: int) -> Path:
    """Return the folder of a search: a new one, or one that goes on.

    Args:
        out: Folder of the fit.
        identity: What must be the same for a search to go on, by the names of `_MEANINGS`.
        memory: Bytes that samples may take, which another run is to take over.

    Raises:
        InputError: The folder holds a search on something else.
        FileError: It cannot be written, or what it holds is damaged.
    """
    folder = out / SEARCH
    make_folder(folder)
    wanted = {"schema": _SCHEMA, **identity}
    path = folder / _RECORD
    if not path.exists():
        write_file(path, json.dumps({**wanted, "memory": memory}, indent=1).encode())
        return folder
    try:
        found = json.loads(path.read_bytes())
        differs = next((name for name in wanted if found[name] != wanted[name]), None)
    except (ValueError, KeyError, TypeError) as error:
        todo = f"remove {folder}, or give another folder with --out"
        raise FileError(f"{path} is damaged", "what relprop fit wrote", todo) from error
    if differs is not None:
        raise InputError(
            f"{out} holds a search on {_MEANINGS.get(differs, 'another version of relprop')}",
            "the same command as before, to go on; --budget, --trials and --workers may differ",
            "give another folder with --out",
        )
    return folder
