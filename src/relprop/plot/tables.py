"""Rows of a table: named features, one-hot columns summed to their own, the largest first.

Takes relevance and names. Gives named numbers. Must not know figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

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
            InputError: There are as many names as not, a name does not exist, or two groups share
                an entry.
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
        places = {plain.name(i): i for i in range(size)}
        chosen = {name: [_place(one, places) for one in of] for name, of in groups.items()}
        listed = [i for of in chosen.values() for i in of]
        if len(set(listed)) < len(listed):
            twice = next(i for i in listed if listed.count(i) > 1)
            given = f'groups that hold "{plain.name(twice)}" twice'
            raise InputError(given, "each column in one group at most", "leave it out of one")
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

    def largest(self, x: Tensor, relevance: Tensor, count: int) -> list[Feature]:
        """List the features of the largest |relevance|, and the sum of all others as one more.

        Args:
            x: A sample.
            relevance: Its relevance.
            count: How many, before the others.
        """
        columns, sums = self.summed(relevance[None])
        values = x.flatten()
        order = sums[0].abs().argsort(descending=True, stable=True)
        chosen = order if len(order) <= count + 1 else order[:count]
        features = [self._feature(columns[k], values, float(sums[0, k])) for k in chosen.tolist()]
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


def _place(one: str | int, places: Mapping[str, int]) -> int:
    if isinstance(one, int) and 0 <= one < len(places):
        return one
    if one not in places:
        allowed = ", ".join(f'"{name}"' for name in list(places)[:12])
        todo = suggest(one, places, otherwise="name columns of the model's input")
        raise InputError(f"groups with the column {one!r}", allowed, todo)
    return places[str(one)]
