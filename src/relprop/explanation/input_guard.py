"""Tensors that a record refers to without a copy, and vouches for."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ..errors import InputError


class AsGiven(Mapping[str, Tensor]):
    """Tensors by label, as they were: to read one is an error if its memory was written into since.

    Torch's own count of changes tells so, as it does to autograd. What goes past that it does not
    see: `x.data`, and a numpy array of the same memory.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)
        self._versions = {label: _version(tensor) for label, tensor in tensors.items()}

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
        """InputError if one of them was written into."""
        for label in self:
            self[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        shapes = (f"{label}: {tuple(tensor.shape)}" for label, tensor in self._tensors.items())
        return f"AsGiven({', '.join(shapes)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return AsGiven, (dict(self),)  # a copy is nobody else's: its changes count anew


def _version(tensor: Tensor) -> int:
    """How often it was written into; those of inference mode do not count."""
    return 0 if tensor.is_inference() else tensor._version
