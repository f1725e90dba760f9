"""Samples in batches, as the model takes them, with the names and labels that the data has.

Takes what a reader of one kind of data gives. Gives records. Must not know files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..plot.tables import ColumnNames
from ..plot.view import ViewKind


@dataclass(frozen=True)
class Batch:
    """Some samples.

    Attributes:
        names: Name of each: a file, a row.
        labels: Label of each, as the data writes it; None where there is none.
        inputs: What the model is called with.
        shown: Pictures as they are shown, (n, c, h, w) from 0 to 1; None for all else.
        texts: Of each text the strings of its tokens, and which are no part of it, such as
            padding; empty for all else.
        values: Of each row of a table, what the file has: name of a feature -> value; empty for
            features that are no column of the file, and for all else.
        raw: Texts as they are written, where a bundle reads them; empty for all else.
    """

    names: Sequence[str]
    labels: Sequence[str | None]
    inputs: Tensor | Mapping[str, Tensor]
    shown: Tensor | None = None
    texts: Sequence[Sequence[tuple[str, bool]]] = ()
    values: Sequence[Mapping[str, str]] = ()
    raw: Sequence[str] = ()


@dataclass(frozen=True)
class LeftOut:
    """A sample that could not be read, and why."""

    name: str
    reason: str


class Samples(Protocol):
    """Samples of one kind.

    Attributes:
        kind: What they are.
        count: How many there are.
        label_names: Labels that the data has, in their order; empty where it has none.
        columns: What the entries of a table's row, or channels of series, are called.
        preprocessing: What is done to them, in words.
    """

    kind: ViewKind
    count: int
    label_names: Sequence[str]
    preprocessing: str

    @property
    def columns(self) -> ColumnNames: ...

    def batches(self, size: int, total: int) -> Iterator[tuple[Batch, list[LeftOut]]]:
        """Read `total` samples, evenly spaced, and say with each batch which could not be read."""


def spread(count: int, total: int) -> list[int]:
    """List `total` places of `count`, evenly spaced: data may be in the order of its classes."""
    return [i * count // total for i in range(total)]


def typed_as_weights(inputs: Any, module: nn.Module) -> Any:
    """Give inputs of floating-point numbers the type of a model's weights.

    Args:
        inputs: A tensor, or a mapping of keyword inputs.
        module: The model.
    """
    weights = (p.dtype for p in module.parameters() if p.is_floating_point())
    dtype = next(weights, torch.float32)
    if isinstance(inputs, Tensor):
        return inputs.to(dtype) if inputs.is_floating_point() else inputs
    return {name: typed_as_weights(value, module) for name, value in inputs.items()}


def first_tensor(inputs: Tensor | Mapping[str, Any]) -> Tensor:
    """Return the input that is explained."""
    if isinstance(inputs, Tensor):
        return inputs
    return next(value for value in inputs.values() if isinstance(value, Tensor))
