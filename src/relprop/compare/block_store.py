"""The folder of a comparison: its settings, and the tensors of each finished block of images.

Takes a record of settings, and tensors by name. Files are complete or absent, so that a stopped run
can continue; a folder of other settings is refused. Must not know what the tensors mean.
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
class BlockStore:
    """The blocks of one comparison, as files.

    Attributes:
        folder: Folder of the comparison.
    """

    folder: Path

    def has(self, name: str) -> bool:
        """Tell whether a block is finished."""
        return self._file(name).is_file()

    def write(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Store the tensors of a block."""
        contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
        write_file(self._file(name), safetensors.torch.save(contiguous))

    def read(self, name: str) -> dict[str, Tensor]:
        """Read the tensors of a finished block. Raises FileError where the file is damaged."""
        try:
            return safetensors.torch.load(self._file(name).read_bytes())
        except (OSError, SafetensorError) as error:
            raise FileError(
                f"{self._file(name)} cannot be read: {error}",
                "a block as this comparison wrote it",
                "delete this file and run the same command again",
            ) from error

    def _file(self, name: str) -> Path:
        return self.folder / "blocks" / f"{name}.safetensors"


def open_store(folder: Path, settings: Mapping[str, Any]) -> BlockStore:
    """Open a new or empty folder for these settings, or one that they were used in before.

    Raises:
        FileError: The folder holds anything else.
    """
    if folder.exists() and (not folder.is_dir() or any(_visible_files(folder))):
        _check_settings(folder, settings)
    else:
        make_folder(folder)
        write_file(folder / SETTINGS, json.dumps(settings, indent=2).encode() + b"\n")
    make_folder(folder / "blocks")
    return BlockStore(folder)


def _visible_files(folder: Path) -> list[Path]:
    """List a folder without the temporary files of a stopped run, whose names begin with a dot."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    try:
        stored = json.loads((folder / SETTINGS).read_bytes())
    except (OSError, ValueError):
        stored = None
    if not isinstance(stored, dict):
        raise FileError(
            f"{folder} is not the folder of a comparison",
            "a folder that is new, empty, or of a comparison that was stopped",
            "give another folder with --out",
        )
    changed = [key for key in {**stored, **settings} if stored.get(key) != settings.get(key)]
    if changed:
        before, now = (_as_text({key: s.get(key) for key in changed}) for s in (stored, settings))
        raise FileError(
            f"{folder} holds a comparison with {before}; this one has {now}",
            "the same settings, to continue a run that was stopped",
            "give another folder with --out, or delete this one",
        )


def _as_text(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in settings.items())
