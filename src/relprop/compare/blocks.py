"""The folder of a comparison: its settings, and the curves of each block of digits that is done.

Takes a record of settings and tensors by name. What is there is whole: a run that was stopped goes
on where it was, and one with other settings is refused. Must not know what the tensors mean.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import FileError
from ..support.files import make_folder, write_file

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Folder:
    """A folder that holds the blocks of one comparison."""

    path: Path

    def has(self, name: str) -> bool:
        """Whether a block is done."""
        return self._file(name).is_file()

    def write(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep a block."""
        ready = {key: tensor.contiguous() for key, tensor in tensors.items()}
        write_file(self._file(name), safetensors.torch.save(ready))

    def read(self, name: str) -> dict[str, Tensor]:
        """A block that is done. Raises FileError where the file is damaged."""
        try:
            return safetensors.torch.load(self._file(name).read_bytes())
        except (OSError, SafetensorError) as error:
            raise FileError(
                f"{self._file(name)} cannot be read: {error}",
                "a block as this comparison wrote it",
                "delete this file and run the same command again",
            ) from error

    def _file(self, name: str) -> Path:
        return self.path / "blocks" / f"{name}.safetensors"


def open_folder(path: Path, record: Mapping[str, Any]) -> Folder:
    """A folder for the comparison with these settings: new, empty, or one that they began.

    Raises FileError for a folder that holds anything else.
    """
    if path.exists() and (not path.is_dir() or any(_visible(path))):
        _check_same(path, record)
    else:
        make_folder(path)
        write_file(path / SETTINGS, json.dumps(record, indent=2).encode() + b"\n")
    make_folder(path / "blocks")
    return Folder(path)


def _visible(path: Path) -> list[Path]:
    """What is in a folder, without what a stopped run was writing."""
    return [one for one in path.iterdir() if not one.name.startswith(".")]


def _check_same(path: Path, record: Mapping[str, Any]) -> None:
    try:
        there = json.loads((path / SETTINGS).read_bytes())
    except (OSError, ValueError):
        there = None
    if not isinstance(there, dict):
        raise FileError(
            f"{path} is no folder of a comparison",
            "a folder that is new, empty, or of a comparison that was stopped",
            "give another folder with --out",
        )
    changed = [key for key in {**there, **record} if there.get(key) != record.get(key)]
    if changed:
        was, now = ({key: one.get(key) for key in changed} for one in (there, record))
        raise FileError(
            f"{path} holds a comparison with {_briefly(was)}; this one has {_briefly(now)}",
            "the same settings, of which a run that was stopped goes on",
            "give another folder with --out, or delete this one",
        )


def _briefly(part: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in part.items())
