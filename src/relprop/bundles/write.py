"""Writes a bundle so that an earlier one in its folder stays usable until the new one is complete.

The weights go to a file that is named by their hash; then bundle.json, which names this file,
replaces the earlier one at once; then weights that nothing names are removed, and a
recipe that was tuned for earlier ones. Takes a
BundleContent. Must not know networks.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import safetensors.torch
from torch import Tensor

from ..errors import InputError
from ..support.files import make_folder, write_file
from ..support.json_records import flatten_record
from .content import BundleContent

SCHEMA = "relprop-bundle-1"
BUNDLE_FILE = "bundle.json"
TUNED_FILE = "tuned.toml"  # a recipe that was tuned for these weights
WEIGHTS = "weights-*.safetensors"  # the star is the beginning of their SHA256


def write_bundle(folder: Path, content: BundleContent) -> None:
    """Write a bundle. Stopped at any moment, it leaves the earlier one or the new one, complete.

    Args:
        folder: Where to; it is made if it is missing. One process at a time may write to it.
        content: What is written.

    Raises:
        InputError: The content holds what JSON does not have.
        FileError: A file cannot be written, as on a full disk.
    """
    try:
        document, tensors = flatten_record(content)
    except TypeError as error:
        raise InputError(
            f"a bundle that cannot be written: {error}",
            "numbers, text, lists and mappings of these, and tensors",
            "convert it to one of these",
        ) from error
    weights = safetensors.torch.save({name: _stored(value) for name, value in tensors.items()})
    digest = hashlib.sha256(weights).hexdigest()
    file = WEIGHTS.replace("*", digest[:16])
    header = {"schema": SCHEMA, "weights": file, "sha256": digest}
    text = json.dumps({**header, "content": document}, indent=1, allow_nan=False)
    make_folder(folder)
    write_file(folder / file, weights)
    write_file(folder / BUNDLE_FILE, f"{text}\n".encode())
    for path in [*folder.glob(WEIGHTS), folder / TUNED_FILE]:
        if path.name != file:
            with suppress(OSError):  # it is only in the way
                path.unlink()


def _stored(value: Tensor) -> Tensor:
    """Return a tensor that shares memory with no other, as the format demands."""
    return value.detach().cpu().contiguous().clone()
