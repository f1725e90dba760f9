"""What was read of a model, saved and loaded: a later session need not read the model again.

One safetensors file: the tensors that the model's code holds, and a JSON text with the graphs, the
layouts and the recipe. None of it can run code. The model's own weights are not in it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ..capture.batch_axes import BatchAxis
from ..capture.model import CapturedModel
from ..errors import FileError, InputError
from ..graph.serialize import from_document, to_document
from ..recipes.recipe import Recipe
from ..support.files import write_atomically

_FORMAT = 1


@dataclass(frozen=True)
class Saved:
    """What a file holds.

    read  what was read of the model, by the text of the inputs' signature
    """

    recipe: Recipe
    output: str | int | None
    read: Mapping[str, CapturedModel]


def write_plans(path: Path, saved: Saved) -> None:
    """Write a file, whole or not at all.

    Raises InputError for a recipe or a graph that cannot be written; FileError for the path.
    """
    tensors: dict[str, Tensor] = {}
    records = []
    for i, (signature, read) in enumerate(saved.read.items()):
        for name, value in read.graph.constants.items():
            tensors[f"{i}/{name}"] = _stored(name, value)
        layouts = {n: at and [at.axis, at.outer] for n, at in read.batch_axes.items()}
        records.append(
            {"signature": signature, "graph": to_document(read.graph), "layouts": layouts}
        )
    recipe, output = saved.recipe.to_json(), saved.output
    document = {"format": _FORMAT, "recipe": recipe, "output": output, "read": records}
    content = safetensors.torch.save(tensors, {"relprop": json.dumps(document)})
    with write_atomically(path) as file:
        file.write(content)


def _stored(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        given = f"the constant {name} of type {type(value).__name__}"
        raise InputError(given, "tensors", "read the model anew in each session")
    return value.detach().contiguous().clone()


def read_plans(path: Path) -> Saved:
    """What a file holds. Raises FileError for one that is missing, or that is none of these."""
    if not path.is_file():
        raise _no_plan(path, "it is a folder" if path.is_dir() else "there is no such file")
    try:
        with safetensors.safe_open(path, "pt") as file:
            document = json.loads((file.metadata() or {})["relprop"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if document["format"] != _FORMAT:
            raise _no_plan(path, f"its format is {document['format']!r}")
        records = document["read"]
        read = {r["signature"]: _captured(r, i, tensors) for i, r in enumerate(records)}
        return Saved(Recipe.from_json(document["recipe"]), document["output"], read)
    except FileError:
        raise
    except OSError as error:
        raise _no_plan(path, getattr(error, "strerror", None) or str(error)) from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _no_plan(path, f"{type(error).__name__}: {error}") from error


def _captured(
    record: Mapping[str, Any], number: int, tensors: Mapping[str, Tensor]
) -> CapturedModel:
    prefix = f"{number}/"
    own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    layouts = {name: at and BatchAxis(*at) for name, at in record["layouts"].items()}
    return CapturedModel(from_document(record["graph"], own), layouts)


def _no_plan(path: Path, why: str) -> FileError:
    return FileError(
        f"{path} is no file of plans: {why}",
        "what Explainer.save writes",
        "save the explainer again, or read the model anew",
    )
