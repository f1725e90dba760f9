"""The arguments of one call of a model: tensors, with or without samples in them, and plain values.

A record; explanation/check_inputs.py makes it from what a user passes, and checks it. Must not know
models or graphs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call of a model. A label is the name of the parameter that takes one.

    Attributes:
        values: Label -> argument.
        positional: Labels of the arguments passed by position, in order.
        explained: Labels of the tensors that relevance is computed for.
    """

    values: Mapping[str, Any]
    positional: tuple[str, ...]
    explained: tuple[str, ...]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Collect the arguments that are tensors, by label."""
        return {name: v for name, v in self.values.items() if isinstance(v, Tensor)}

    @property
    def taken(self) -> dict[str, Tensor]:
        """Collect the tensors that relevance is computed for, by label."""
        return {label: self.values[label] for label in self.explained}

    @property
    def first(self) -> Tensor:
        """Return the first explained tensor, whose first dimension runs over the samples."""
        value: Tensor = self.values[self.explained[0]]
        return value

    @property
    def batch(self) -> int:
        """Return the number of samples."""
        return self.first.size(0)

    @property
    def batched(self) -> tuple[str, ...]:
        """List the labels of tensors with as many entries in dimension 0 as there are samples."""
        batch = self.batch
        return tuple(n for n, t in self.tensors.items() if t.ndim and t.size(0) == batch)

    def arranged(self, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split values by label into positional and keyword arguments, as these were passed."""
        named = {name: value for name, value in values.items() if name not in self.positional}
        return tuple(values[name] for name in self.positional), named

    def per_sample(self, function: Callable[[Tensor], Tensor]) -> "Inputs":
        """Return a copy in which `function` was applied to each tensor that holds samples."""
        changed = {name: function(self.values[name]) for name in self.batched}
        return replace(self, values={**self.values, **changed})

    @property
    def signature(self) -> tuple[Any, ...]:
        """Build the key of a captured graph: all but the numbers in tensors and the batch size."""
        batched = set(self.batched)
        tensors = tuple(
            (name, name in batched, t.shape[1:] if name in batched else t.shape, t.dtype, t.device)
            for name, t in self.tensors.items()
        )
        others = {name: v for name, v in self.values.items() if not isinstance(v, Tensor)}
        return tensors, _frozen(others), self.positional, self.explained


PLAIN = (bool, int, float, complex, str, type(None))


def is_plain(value: Any) -> bool:
    """Tell whether a value is a number, a string or None, or a tuple, list or dict of these."""
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(is_plain(item) for pair in value.items() for item in pair)
    return isinstance(value, PLAIN)


def _frozen(value: Any) -> Any:
    """Convert a plain value to a hashable one, equal only for equal values of the same type."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_frozen, value))
    if isinstance(value, dict):
        return type(value), tuple((_frozen(key), _frozen(item)) for key, item in value.items())
    return type(value), repr(value)  # by repr, since 0.0 == -0.0, and nan != nan
