"""Saves captured graphs and loads them, so that a later session need not capture the model.

One safetensors file: the tensors that the model's code holds, and a JSON text with the graphs, the
batch axes, the recipe, and the model's classes and attributes, to know the model again. None of it
can run code. The model's own weights are not in it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..capture.batch_axes import BatchAxis
from ..capture.description import Description, describe_model, model_difference
from ..capture.model import CapturedModel, current_state
from ..capture.samples import first_and_last
from ..errors import CaptureError, FileError, InputError, RelpropError, first_line
from ..graph.inputs import Inputs
from ..graph.serialize import from_document, to_document
from ..recipes.recipe import Recipe
from ..support.file_kinds import file_kind
from ..support.files import refuse_other_formats, write_file
from .built_program import BuiltProgram
from .check_model import check_module

if TYPE_CHECKING:  # it imports this module where graphs are saved
    from .program_cache import ProgramCache

_FORMAT = 2
_WITHOUT_MODEL = 1  # the format before, which does not describe the model
# What a file that is none, a damaged one, or one with other content makes the readers raise.
_DAMAGE = (
    *(SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError),
    *(OverflowError, RecursionError, MemoryError),
)


@dataclass(frozen=True)
class SavedPlans:
    """The contents of a file.

    Attributes:
        recipe: The recipe of the explainer.
        output: Which of several results is explained.
        captured: Captured graphs by the text of the inputs' signature.
        model: The model's classes and attributes; None where the file does not hold them.
    """

    recipe: Recipe
    output: str | int | None
    captured: Mapping[str, CapturedModel]
    model: Description | None


def save_graphs(path: Path, cache: "ProgramCache") -> None:
    """Write the captured graphs of a cache; see `Explainer.save`."""
    if cache.per_input:
        given = 'an explainer with capture="per-input", which keeps no captured graph'
        raise InputError(given, 'capture="export"', "capture the model in each session")
    captured = cache.captured()
    if not captured:
        given, allowed = "an explainer that has captured no model yet", "one that made a plan"
        raise InputError(given, allowed, "call explainer.plan(x) first, for each shape of x")
    write_plans(path, SavedPlans(cache.recipe, cache.output, captured, cache.described_model()))


def write_plans(path: Path, saved: SavedPlans) -> None:
    """Write a file, whole or not at all.

    Raises InputError for a recipe or a graph that cannot be written, and for a name of another
    format; FileError for the path.
    """
    refuse_other_formats(path, (".plans", ".safetensors"), "explainer.save")
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
    write_file(path, safetensors.torch.save(tensors, {"relprop": json.dumps(document)}))


def _stored(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        given = f"the constant {name} of type {type(value).__name__}"
        raise InputError(given, "tensors", "capture the model in each session")
    return value.detach().contiguous().clone()


def read_plans(path: Path) -> SavedPlans:
    """Read a file. Raises FileError if it is missing, or was not written by `write_plans`."""
    if not os.path.isfile(path):
        raise _no_plan(path, "it is a folder" if os.path.isdir(path) else "there is no such file")
    _refuse_other_kind(path)
    try:
        with safetensors.safe_open(path, "pt") as file:
            document = json.loads((file.metadata() or {})["relprop"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _read(document, tensors)
    except FileError:
        raise
    except OSError as error:
        raise _no_plan(path, error.strerror or str(error)) from error
    except RecursionError as error:
        raise _no_plan(path, "lists within lists, too deep to be read") from error
    except _DAMAGE as error:
        why = error.given if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise _no_plan(path, why) from error


@contextmanager
def as_file_error() -> Iterator[None]:
    """Turn any error of a saved graph that cannot be planned or run into a FileError."""
    try:
        yield
    except RelpropError:
        raise
    except Exception as error:
        raise FileError(
            f"a saved plan that cannot be used: {type(error).__name__}: {first_line(error)}",
            "what Explainer.save writes",
            "capture the model in this session: relprop.Explainer(model)",
        ) from error


def run_backward_once(built: BuiltProgram, model: nn.Module, inputs: Inputs) -> None:
    """Carry relevance back for the first sample, by both programs, and raise what that raises."""
    first, _ = first_and_last(built.program.plan.graph, inputs)
    for program in (built.program, built.pruned):
        trace = program.forward(first.tensors, current_state(model, program.plan.graph))
        program.backward(trace, torch.ones_like(trace.scores))


def _read(document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SavedPlans:
    if document["format"] not in (_WITHOUT_MODEL, _FORMAT):
        raise ValueError(f"its format is {document['format']!r}")
    output = document["output"]
    if type(output) not in (str, int, type(None)):
        raise TypeError(f"output = {output!r}")
    records = document["read"]
    captured = {str(r["signature"]): _captured(r, i, tensors) for i, r in enumerate(records)}
    model = None if document["format"] == _WITHOUT_MODEL else document["model"]
    described = model and {p: {n: str(t) for n, t in a.items()} for p, a in model.items()}
    return SavedPlans(Recipe.from_json(document["recipe"]), output, captured, described)


def read_for(model: nn.Module, path: Path) -> tuple[SavedPlans, Description]:
    """Read the file of a model, and return the description of the saved one, too."""
    model, saved = check_module(model), read_plans(path)
    return saved, description_for(saved, model)


def description_for(saved: SavedPlans, model: nn.Module) -> Description:
    """Return the description of the saved model.

    Raises CaptureError for a model of other classes or attributes. Without a description in the
    file the model is taken for the saved one; on samples the two are compared in any case.
    """
    described = describe_model(model)
    differs = "" if saved.model is None else model_difference(saved.model, described)
    if differs:
        raise CaptureError(
            f"{type(model).__name__}, which is not the model of the saved plan: it differs in "
            f"{differs}",
            "a model of the same classes and attributes",
            "call model.eval() before"
            if differs.startswith("training of") and differs.endswith("is True and was False")
            else "capture this model instead: relprop.Explainer(model)",
        )
    return described if saved.model is None else saved.model


def _captured(
    record: Mapping[str, Any], number: int, tensors: Mapping[str, Tensor]
) -> CapturedModel:
    prefix = f"{number}/"
    own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    graph = from_document(record["graph"], own)
    values = {*graph.inputs.values(), *(node.name for node in graph.nodes)}
    axes = {name: _batch_axis(at) for name, at in record["layouts"].items()}
    if not axes.keys() <= values:
        raise ValueError(f"batch axes of {sorted(axes.keys() - values)}, which it does not compute")
    return CapturedModel(graph, axes)


def _batch_axis(at: Any) -> BatchAxis | None:
    if at is None:
        return None
    axis, outer = at
    if type(axis) is not int or type(outer) is not int or not (0 <= axis < 64 and outer >= 1):
        raise ValueError(f"a batch axis {at!r}")
    return BatchAxis(axis, outer)


def _refuse_other_kind(path: Path) -> None:
    """Raise FileError for a file of another kind that has a reader, and for a text."""
    try:
        kind = file_kind(path)
    except OSError as error:
        raise _no_plan(path, error.strerror or str(error)) from error
    if "Explainer.load" not in kind.reader and (kind.reader or kind.what in ("text", "empty")):
        raise _no_plan(path, f"it is {kind.what}", f"write {kind.reader}" if kind.reader else "")


def _no_plan(path: Path, why: str, todo: str = "") -> FileError:
    return FileError(
        f"{path} is no file of plans: {why}",
        "what Explainer.save writes",
        todo or "save the explainer again, or capture the model again",
    )
