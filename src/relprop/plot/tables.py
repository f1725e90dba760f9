"""Rows of a table: named features, one-hot columns summed to their own, the largest first.

Takes relevance and names. Gives named numbers. Must not know figures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from types import MappingProxyType
from typing import Any

import torch
from numpy import unravel_index
from torch import Tensor

from ..errors import InputError
from ..support.arguments import suggest


@dataclass(frozen=True)
class Feature:
    """A feature of one sample.

    Attributes:
        name: Its name.
        value: Its value, as text; "" for several columns.
        relevance: Its relevance.
    """

    name: str
    value: str
    relevance: float


@dataclass(frozen=True)
class ColumnNames:
    """What the entries of a table's row are called; see `Explanation.plot`."""

    names: Sequence[str] | None = None
    groups: Mapping[str, Sequence[str | int]] | None = None


@dataclass(frozen=True)
class Columns:
    """What the entries of a sample are called.

    Attributes:
        shape: Shape of a sample.
        names: Name of each entry, of the flattened sample; None: its index.
        groups: Name -> positions of the entries that are drawn as one, such as one-hot columns.
    """

    shape: tuple[int, ...]
    names: Sequence[str] | None
    groups: Mapping[str, Sequence[int]]

    @classmethod
    def of(
        cls,
        shape: Sequence[int],
        names: Sequence[str] | None,
        groups: Mapping[str, Sequence[str | int]] | None,
    ) -> "Columns":
        """Check the names and groups of a user.

        Args:
            shape: That of a sample.
            names: Name of each entry; None: its index.
            groups: Name -> the names or positions of its entries.

        Raises:
            InputError: There are as many names as not; a name does not exist, is that of several
                entries, or could be a position, too; two groups share an entry, or a group has the
                name of an entry that is in none.
        """
        size = prod(shape)
        if names is not None and len(names) != size:
            raise InputError(
                f"{len(names)} feature_names for samples of shape {tuple(shape)}",
                f"{size} names",
                "give one name for each column that the model takes",
            )
        known = None if names is None else [str(name) for name in names]
        plain = cls(tuple(shape), known, {})
        if not groups:
            return plain
        finder = _Finder.of([plain.name(i) for i in range(size)], names or ())
        chosen = {
            name: [finder.place(one) for one in of] for name, of in _checked_groups(groups).items()
        }
        listed = [i for of in chosen.values() for i in of]
        if len(set(listed)) < len(listed):
            twice = next(i for i in listed if listed.count(i) > 1)
            given = f'groups that hold "{plain.name(twice)}" twice'
            raise InputError(given, "each column in one group at most", "leave it out of one")
        _refuse_taken_names(chosen, finder.labels)
        return cls(plain.shape, known, {name: of for name, of in chosen.items() if of})

    def name(self, i: int) -> str:
        """Name an entry."""
        if self.names is not None:
            return self.names[i]
        place = tuple(int(one) for one in unravel_index(i, self.shape))
        return str(i) if len(place) < 2 else str(place)

    def summed(self, relevance: Tensor) -> tuple[list[int | str], Tensor]:
        """Sum relevance over each group.

        Args:
            relevance: (batch, *shape).

        Returns:
            The columns in their order, entries by their position and groups by their name, where
            their first entry stands; and their relevance in float64, (batch, columns).
        """
        values = relevance.detach().cpu().double().flatten(1)
        column = torch.arange(values.shape[1])
        for of in self.groups.values():
            column[list(of)] = min(of)
        kept, place = torch.unique(column, return_inverse=True)
        sums = values.new_zeros(len(values), len(kept)).index_add_(1, place, values)
        first: dict[int, int | str] = {min(of): name for name, of in self.groups.items()}
        return [first.get(i, i) for i in kept.tolist()], sums

    def largest(
        self,
        x: Tensor,
        relevance: Tensor,
        count: int,
        shown: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Feature]:
        """List the features of the largest |relevance|, and the sum of all others as one more.

        Args:
            x: A sample.
            relevance: Its relevance.
            count: How many, before the others.
            shown: Name of a feature -> what is shown in place of the number of the input.
        """
        columns, sums = self.summed(relevance[None])
        values = x.flatten()
        order = sums[0].abs().argsort(descending=True, stable=True)
        chosen = order if len(order) <= count + 1 else order[:count]
        features = [self._feature(columns[k], values, float(sums[0, k])) for k in chosen.tolist()]
        features = [replace(one, value=shown.get(one.name, one.value)) for one in features]
        if len(chosen) < len(order):
            rest = float(sums[0, order[count:]].sum())
            features.append(Feature(f"{len(order) - count} others", "", rest))
        return features

    def _feature(self, column: int | str, values: Tensor, relevance: float) -> Feature:
        if isinstance(column, int):
            return Feature(self.name(column), f"{float(values[column]):.4g}", relevance)
        on = [self.name(i) for i in self.groups[column] if values[i]]
        value = on[0].removeprefix(column).lstrip("_= ") if len(on) == 1 else ""
        return Feature(column, value, relevance)


@dataclass(frozen=True)
class _Finder:
    """Finds entries by name or position.

    Attributes:
        labels: Name of each entry.
        places: Positions by name: several where entries have the same one.
        numbers: Position by name, of the names that are whole numbers, as of a DataFrame.
    """

    labels: Sequence[str]
    places: Mapping[str, Sequence[int]]
    numbers: Mapping[int, int]

    @classmethod
    def of(cls, labels: Sequence[str], names: Sequence[Any]) -> "_Finder":
        """Sort the names of entries; `names` are these as the user gave them."""
        places: dict[str, list[int]] = {}
        for i, label in enumerate(labels):
            places.setdefault(label, []).append(i)
        numbers = {int(name): i for i, name in enumerate(names) if isinstance(name, Integral)}
        return cls(labels, places, numbers)

    def place(self, one: Any) -> int:
        """Return the position of an entry. Raises InputError unless one and only one is meant."""
        if isinstance(one, str):
            return self._named(one)
        i = int(one) if isinstance(one, Integral) and not isinstance(one, bool) else -1
        if not 0 <= i < len(self.labels):
            raise self._unknown(one)
        if self.numbers.get(i, i) != i:
            given = f"groups with the column {i}, a position and the name of another column"
            todo = f'write "{i}" for the column of this name, "{self.labels[i]}" for the other'
            raise InputError(given, "a column that is told apart from all others", todo)
        return i

    def _named(self, name: str) -> int:
        found = self.places.get(name, ())
        if not found:
            raise self._unknown(name)
        if len(found) > 1:
            given = f'groups with "{name}", the name of {len(found)} columns'
            todo = f"write their positions: {', '.join(map(str, found[:4]))}"
            raise InputError(given, "a name that one column has", todo)
        return found[0]

    def _unknown(self, one: object) -> InputError:
        allowed = ", ".join(f'"{name}"' for name in self.labels[:12])
        todo = suggest(one, self.labels, otherwise="name columns of the model's input")
        return InputError(f"groups with the column {one!r}", allowed, todo)


def _checked_groups(groups: Any) -> Mapping[str, Sequence[Any]]:
    """Raise InputError unless groups are lists of columns by names."""
    allowed = "lists of columns by the name of the group"
    if not isinstance(groups, Mapping):
        given = f"groups of type {type(groups).__name__}"
        raise InputError(given, allowed, 'write groups={"job": ["job=cook", "job=clerk"]}')
    for name, of in groups.items():
        if not isinstance(name, str):
            given = f"a group that is named {name!r}"
            raise InputError(given, allowed, f'write groups={{"{name}": [...]}}')
        if isinstance(of, str) or not isinstance(of, Iterable):
            given = f'the group "{name}" that is {of!r}'
            raise InputError(given, allowed, f'write groups={{"{name}": [{of!r}]}}')
    return groups


def _refuse_taken_names(chosen: Mapping[str, Sequence[int]], labels: Sequence[str]) -> None:
    """Raise InputError for a group with the name of an entry that is drawn beside it."""
    grouped = {i for of in chosen.values() for i in of}
    remaining = {label for i, label in enumerate(labels) if i not in grouped}
    for name, of in chosen.items():
        if of and name in remaining:
            given = f'a group "{name}" beside a column of this name, which is in no group'
            todo = f'write "{name} (group)", or put the column into a group'
            raise InputError(given, "names that are told apart", todo)
