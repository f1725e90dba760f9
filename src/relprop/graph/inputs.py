"""The arguments of one call of a model: tensors, some of them with a batch axis, and plain values.

Records; `explanation.check_inputs` makes sure that they fit the model.
"""

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..support.torch_private import version_of
from .sizes import Place


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call of a model by label: the name of the parameter that takes them.

    Attributes:
        values: Arguments by label.
        positional: Labels of those that are given by position, in order.
        explained: Labels of the tensors whose relevance is computed.
        start: Index of the first sample in the caller's batch, which errors name samples by.
        tensors: The arguments that are tensors.
        batch: Number of samples: the first size of the first explained tensor.
        batched: Labels of the tensors with a batch axis: those with that first size.
        signature: What a program depends on: everything but the numbers and the batch size.
    """

    values: Mapping[str, Any]
    positional: tuple[str, ...]
    explained: tuple[str, ...]
    start: int = 0
    tensors: dict[str, Tensor] = field(init=False, repr=False, compare=False)
    batch: int = field(init=False, repr=False, compare=False)
    batched: tuple[str, ...] = field(init=False, repr=False, compare=False)
    signature: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        batch = self.values[self.explained[0]].size(0)
        tensors, others, batched, shapes = {}, {}, [], []
        for label, value in self.values.items():
            if not isinstance(value, Tensor):
                others[label] = value
                continue
            has_batch = value.ndim > 0 and value.size(0) == batch
            batched += [label] if has_batch else []
            shape = value.shape[1:] if has_batch else value.shape
            tensors[label] = value
            shapes.append((label, has_batch, shape, value.dtype, value.device))
        signature = (tuple(shapes), _hashable(others), self.positional, self.explained)
        for name, derived in (
            ("tensors", tensors),
            ("batch", batch),
            ("batched", tuple(batched)),
            ("signature", signature),
        ):
            object.__setattr__(self, name, derived)

    @property
    def first(self) -> Tensor:
        """Return the first explained tensor."""
        return self.tensors[self.explained[0]]

    @property
    def has_batch(self) -> list[bool]:
        """Tell of each tensor, in order, whether it has a batch axis."""
        return [label in self.batched for label in self.tensors]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the tensors; two samples at least, as graphs are captured on."""
        return {
            label: (max(tensor.shape[0], 2), *tensor.shape[1:])
            if label in self.batched
            else tuple(tensor.shape)
            for label, tensor in self.tensors.items()
        }

    def arrange(self, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split other values, by label, into the model's positional and keyword arguments."""
        named = {label: v for label, v in values.items() if label not in self.positional}
        return tuple(values[label] for label in self.positional), named

    def per_sample(self, function: Callable[[Tensor], Tensor], start: int = 0) -> "Inputs":
        """Apply a function to all tensors with a batch axis.

        Args:
            function: Selects, repeats or permutes samples.
            start: How many samples of the caller's batch lie before the first one selected.
        """
        changed = {label: function(self.values[label]) for label in self.batched}
        return replace(self, values={**self.values, **changed}, start=self.start + start)


def signature_without(signature: tuple[Any, ...], places: Collection[Place]) -> tuple[Any, ...]:
    """Return the signature of inputs with None for some sizes.

    Args:
        signature: That of `Inputs`.
        places: Which sizes: labels with dimensions of the whole tensors.
    """
    if not places:
        return signature
    shapes, *rest = signature
    changed = tuple(
        (label, has_batch, tuple(_without(places, label, has_batch, shape)), *others)
        for label, has_batch, shape, *others in shapes
    )
    return (changed, *rest)


def _without(
    places: Container[Place], label: str, has_batch: bool, shape: Sequence[int]
) -> Iterator[int | None]:
    for dim, size in enumerate(shape, int(has_batch)):
        yield None if (label, dim) in places else size


class InputGuard(Mapping[str, Tensor]):
    """Refers to tensors without copying them; raises if one was overwritten since.

    Uses torch's own count of writes, as autograd does. It does not see writes through `x.data`, or
    through a numpy array of the same memory.

    Args:
        tensors: Tensors by label.
        labels: Labels of those to refer to.
    """

    def __init__(self, tensors: Mapping[str, Tensor], labels: Sequence[str]) -> None:
        self._tensors = {label: tensors[label] for label in labels}
        self._versions = {label: _version(tensor) for label, tensor in self._tensors.items()}

    def __getitem__(self, label: str) -> Tensor:
        tensor = self._tensors[label]
        if _version(tensor) != self._versions[label]:
            raise InputError(
                f'"{label}", whose memory was written into after it was given',
                "a tensor that nobody writes into as long as its explanation is used",
                f"give a copy: {label}.clone()",
            )
        return tensor

    def check(self) -> None:
        """Raise InputError if one of the tensors was overwritten."""
        for label in self._tensors:
            self[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        shapes = (f"{label}: {tuple(tensor.shape)}" for label, tensor in self._tensors.items())
        return f"InputGuard({', '.join(shapes)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return InputGuard, (dict(self), tuple(self))  # a copy counts its own writes


def _version(tensor: Tensor) -> int:
    """Count the writes into a tensor; those of inference mode are not counted."""
    return 0 if tensor.is_inference() else version_of(tensor)


PLAIN = (bool, int, float, complex, str, type(None))


def is_plain(value: Any) -> bool:
    """Tell whether a value is a number, a text or None, or a tuple, list or dict of such."""
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(is_plain(item) for pair in value.items() for item in pair)
    return isinstance(value, PLAIN)


def _hashable(value: Any) -> Any:
    """Convert a plain value to a key, equal for equal values of equal types alone."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_hashable, value))
    if isinstance(value, dict):
        return type(value), tuple((_hashable(key), _hashable(v)) for key, v in value.items())
    return type(value), repr(value)  # 0.0 equals -0.0, and nan equals nothing
