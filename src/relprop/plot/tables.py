"""Rows of a table: named features, one-hot columns summed to their own, the largest first.

Takes relevance and names. Gives named numbers. Must not know figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
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
        names: Name of each entry, of the flattened sample.
        groups: Name -> positions of the entries that are drawn as one, such as one-hot columns.
    """

    names: Sequence[str]
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
        numbers = torch.cartesian_prod(*(torch.arange(size) for size in shape))
        known = [str(tuple(i)) if isinstance(i, list) else str(i) for i in numbers.tolist()]
        if names is not None:
            if len(names) != len(known):
                raise InputError(
                    f"{len(names)} feature_names for samples of shape {tuple(shape)}",
                    f"{len(known)} names",
                    "give one name for each column that the model takes",
                )
            known = [str(name) for name in names]
        places = {name: i for i, name in enumerate(known)}
        chosen = {name: [_place(one, places) for one in of] for name, of in (groups or {}).items()}
        listed = [i for of in chosen.values() for i in of]
        if len(set(listed)) < len(listed):
            twice = next(i for i in listed if listed.count(i) > 1)
            given = f'groups that hold "{known[twice]}" twice'
            raise InputError(given, "each column in one group at most", "leave it out of one")
        return cls(known, chosen)

    def features(self, x: Tensor, relevance: Tensor) -> list[Feature]:
        """List the features of a sample, in order; a group stands where its first column does."""
        values, numbers = x.flatten().tolist(), relevance.detach().double().flatten().tolist()
        first = {min(of): name for name, of in self.groups.items() if of}
        grouped = {i for of in self.groups.values() for i in of}
        features = []
        for i, name in enumerate(self.names):
            if i in first:
                of = self.groups[first[i]]
                on = [self.names[k] for k in of if values[k]]
                value = on[0] if len(on) == 1 else ""
                features.append(Feature(first[i], value, sum(numbers[k] for k in of)))
            elif i not in grouped:
                features.append(Feature(name, f"{values[i]:.4g}", numbers[i]))
        return features


def _place(one: str | int, places: Mapping[str, int]) -> int:
    if isinstance(one, int) and 0 <= one < len(places):
        return one
    if one not in places:
        allowed = ", ".join(f'"{name}"' for name in list(places)[:12])
        todo = suggest(one, places, otherwise="name columns of the model's input")
        raise InputError(f"groups with the column {one!r}", allowed, todo)
    return places[str(one)]


def largest(features: Sequence[Feature], count: int) -> list[Feature]:
    """Return the features of the largest |relevance|, and the sum of all others as one more."""
    ranked = sorted(features, key=lambda f: -abs(f.relevance))
    if len(ranked) <= count + 1:
        return ranked
    rest = sum(f.relevance for f in ranked[count:])
    return [*ranked[:count], Feature(f"{len(ranked) - count} others", "", rest)]
