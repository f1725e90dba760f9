"""What a model is called with: tensors, some of them with samples in them, and plain values.

A record; `relprop.checks` makes sure that it fits the model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call of a model, by label: the name of the parameter that takes them.

    values      label -> argument
    positional  labels of those that are given by position, in order
    explained   labels of the tensors that relevance is taken of
    """

    values: Mapping[str, Any]
    positional: tuple[str, ...]
    explained: tuple[str, ...]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The arguments that are tensors."""
        return {name: v for name, v in self.values.items() if isinstance(v, Tensor)}

    @property
    def taken(self) -> dict[str, Tensor]:
        """The tensors that relevance is taken of."""
        return {label: self.values[label] for label in self.explained}

    @property
    def first(self) -> Tensor:
        """The first of the explained ones: it says how many samples there are."""
        value: Tensor = self.values[self.explained[0]]
        return value

    @property
    def batch(self) -> int:
        """Number of samples."""
        return self.first.size(0)

    @property
    def batched(self) -> tuple[str, ...]:
        """Labels of the tensors whose first dimension runs over the samples."""
        batch = self.batch
        return tuple(n for n, t in self.tensors.items() if t.ndim and t.size(0) == batch)

    def arranged(self, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Other values in the places of these: positional and keyword arguments of the model."""
        named = {name: value for name, value in values.items() if name not in self.positional}
        return tuple(values[name] for name in self.positional), named

    def per_sample(self, function: Callable[[Tensor], Tensor]) -> "Inputs":
        """The same with `function` applied to all tensors with samples in them."""
        changed = {name: function(self.values[name]) for name in self.batched}
        return replace(self, values={**self.values, **changed})

    @property
    def signature(self) -> tuple[Any, ...]:
        """What a program depends on: everything but the numbers, and how many samples there are."""
        batched = set(self.batched)
        tensors = tuple(
            (name, name in batched, t.shape[1:] if name in batched else t.shape, t.dtype, t.device)
            for name, t in self.tensors.items()
        )
        others = {name: v for name, v in self.values.items() if not isinstance(v, Tensor)}
        return tensors, _frozen(others), self.positional, self.explained


PLAIN = (bool, int, float, complex, str, type(None))


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a text or None, or a tuple, list or dict of such."""
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(is_plain(item) for pair in value.items() for item in pair)
    return isinstance(value, PLAIN)


def _frozen(value: Any) -> Any:
    """A plain value as one that can be a key, equal for equal values of equal types alone."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_frozen, value))
    if isinstance(value, dict):
        return type(value), tuple((_frozen(key), _frozen(item)) for key, item in value.items())
    return type(value), repr(value)  # 0.0 equals -0.0, and nan equals nothing
