"""The folder of a comparison: its settings, and the tensors of each finished block of images.

Takes a record of settings, and tensors by name. Files are complete or absent, so that a stopped run
can continue; a folder of other settings is refused. A block carries its name, a hash of the
settings, and a checksum: one that was changed, renamed or copied from elsewhere does not count as
finished. Must not know what the tensors mean.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import FileError
from ..support.files import make_folder, try_folder, write_file

SETTINGS = "settings.json"
_LABEL = "relprop"


@dataclass(frozen=True)
class BlockStore:
    """The blocks of one comparison, as files.

    Attributes:
        folder: Folder of the comparison.
        settings: Hash of its settings.
    """

    folder: Path
    settings: str

    def has(self, name: str) -> bool:
        """Tell whether a block is finished, and is as `write` wrote it for these settings."""
        return self.has_file(name) and self._read(name) is not None

    def has_file(self, name: str) -> bool:
        """Tell whether there is a file for a block, whatever it holds."""
        return self._file(name).is_file()

    def write(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Store the tensors of a block."""
        contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
        label = {_LABEL: self._label(name, contiguous)}
        write_file(self._file(name), safetensors.torch.save(contiguous, label))

    def read(self, name: str) -> dict[str, Tensor]:
        """Read the tensors of a finished block. Raises FileError where it is none."""
        tensors = self._read(name)
        if tensors is None:
            raise FileError(
                f"{self._file(name)} is missing, damaged, or of another comparison",
                "a block as this comparison wrote it",
                "run the same command again: it computes this block again",
            )
        return tensors

    def _read(self, name: str) -> dict[str, Tensor] | None:
        try:
            with safetensors.safe_open(self._file(name), "pt") as file:
                label = (file.metadata() or {}).get(_LABEL)
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError):
            return None
        return tensors if label == self._label(name, tensors) else None

    def _label(self, name: str, tensors: dict[str, Tensor]) -> str:
        """Describe a block: its name, the settings, and a checksum of names, shapes and numbers."""
        checksum = hashlib.sha256(safetensors.torch.save(tensors)).hexdigest()
        return json.dumps({"block": name, "settings": self.settings, "checksum": checksum})

    def _file(self, name: str) -> Path:
        return self.folder / "blocks" / f"{name}.safetensors"


def open_store(folder: Path, settings: Mapping[str, Any]) -> BlockStore:
    """Open a new or empty folder for these settings, or one that they were used in before.

    Raises:
        FileError: The folder holds anything else.
    """
    refuse_other_folder(folder)
    if os.path.isdir(folder) and any(_visible_files(folder)):
        _check_settings(folder, settings)
    else:
        make_folder(folder)
        write_file(folder / SETTINGS, json.dumps(settings, indent=2).encode() + b"\n")
    make_folder(folder / "blocks")
    text = json.dumps(settings, sort_keys=True)
    return BlockStore(folder, hashlib.sha256(text.encode()).hexdigest())


def refuse_other_folder(folder: Path) -> None:
    """Check, before any work, that a folder can take a comparison or is that of one.

    Raises:
        FileError: It can neither be created nor written to, or holds anything else.
    """
    if os.path.isdir(folder) and any(_visible_files(folder)):
        _stored_settings(folder)
    try_folder(folder)


def _visible_files(folder: Path) -> list[Path]:
    """List a folder without the temporary files of a stopped run, whose names begin with a dot."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _stored_settings(folder: Path) -> dict[str, Any]:
    """Read the settings of a comparison. Raises FileError where the folder is that of none."""
    path, stored = folder / SETTINGS, None
    with suppress(OSError, ValueError, RecursionError):
        stored = json.loads(path.read_bytes()) if path.is_file() else None
    if not isinstance(stored, dict):
        raise FileError(
            f"{folder} is not the folder of a comparison",
            "a folder that is new, empty, or of a comparison that was stopped",
            "give another folder with --out",
        )
    return stored


def _check_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    stored = _stored_settings(folder)
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
