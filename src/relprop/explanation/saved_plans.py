"""Saves captured graphs and loads them, so that a later session need not capture the model.

One safetensors file: the tensors that the model's code holds, and a JSON text with the graphs, the
batch axes, the recipe, and the model's classes and attributes, to know the model again. None of it
can run code. The model's own weights are not in it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..capture.batch_axes import BatchAxis
from ..capture.description import Description, describe_model, model_difference
from ..capture.model import CapturedModel
from ..errors import CaptureError, FileError, InputError
from ..graph.serialize import from_document, to_document
from ..recipes.recipe import Recipe
from ..support.files import write_atomically

_FORMAT = 2


@dataclass(frozen=True)
class SavedPlans:
    """The contents of a file.

    Attributes:
        recipe: The recipe of the explainer.
        output: Which of several results is explained.
        captured: Captured graphs by the text of the inputs' signature.
        model: The model's classes and attributes.
    """

    recipe: Recipe
    output: str | int | None
    captured: Mapping[str, CapturedModel]
    model: Description


def write_plans(path: Path, saved: SavedPlans) -> None:
    """Write a file, whole or not at all.

    Raises InputError for a recipe or a graph that cannot be written; FileError for the path.
    """
    tensors: dict[str, Tensor] = {}
    records = []
    for i, (signature, captured) in enumerate(saved.captured.items()):
        for name, value in captured.graph.constants.items():
            tensors[f"{i}/{name}"] = _stored(name, value)
        axes = {n: at and [at.axis, at.outer] for n, at in captured.batch_axes.items()}
        records.append(
            {"signature": signature, "graph": to_document(captured.graph), "layouts": axes}
        )
    recipe, output = saved.recipe.to_json(), saved.output
    document = {"format": _FORMAT, "recipe": recipe, "output": output, "read": records}
    document["model"] = saved.model
    content = safetensors.torch.save(tensors, {"relprop": json.dumps(document)})
    with write_atomically(path) as file:
        file.write(content)


def _stored(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        given = f"the constant {name} of type {type(value).__name__}"
        raise InputError(given, "tensors", "capture the model in each session")
    return value.detach().contiguous().clone()


def read_plans(path: Path) -> SavedPlans:
    """Read a file. Raises FileError if it is missing, or was not written by `write_plans`."""
    if not path.is_file():
        raise _no_plan(path, "it is a folder" if path.is_dir() else "there is no such file")
    try:
        with safetensors.safe_open(path, "pt") as file:
            document = json.loads((file.metadata() or {})["relprop"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if document["format"] != _FORMAT:
            raise _no_plan(path, f"its format is {document['format']!r}")
        records = document["read"]
        captured = {r["signature"]: _captured(r, i, tensors) for i, r in enumerate(records)}
        described = {p: {n: str(t) for n, t in a.items()} for p, a in document["model"].items()}
        recipe = Recipe.from_json(document["recipe"])
        return SavedPlans(recipe, document["output"], captured, described)
    except FileError:
        raise
    except OSError as error:
        raise _no_plan(path, getattr(error, "strerror", None) or str(error)) from error
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_plan(path, f"{type(error).__name__}: {error}") from error


def refuse_other_model(saved: SavedPlans, model: nn.Module) -> None:
    """Raise CaptureError for a model of other classes or attributes than the saved one."""
    differs = model_difference(saved.model, describe_model(model))
    if differs:
        raise CaptureError(
            f"{type(model).__name__}, which is not the model of the saved plan: it differs in "
            f"{differs}",
            "a model of the same classes and attributes",
            "capture this model instead: relprop.Explainer(model)",
        )


def _captured(
    record: Mapping[str, Any], number: int, tensors: Mapping[str, Tensor]
) -> CapturedModel:
    prefix = f"{number}/"
    own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    axes = {name: at and BatchAxis(*at) for name, at in record["layouts"].items()}
    return CapturedModel(from_document(record["graph"], own), axes)


def _no_plan(path: Path, why: str) -> FileError:
    return FileError(
        f"{path} is no file of plans: {why}",
        "what Explainer.save writes",
        "save the explainer again, or capture the model again",
    )
