"""Tensors that a record refers to without a copy, and vouches for."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from .errors import InputError


class AsGiven(Mapping[str, Tensor]):
    """Tensors by label, each as it was: to read one that was written into since is an error.

    Torch's own count of changes tells so, as it does to autograd. What goes past torch, as through
    a numpy array of the same memory, it does not see.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)
        self._versions = {label: tensor._version for label, tensor in tensors.items()}

    def __getitem__(self, label: str) -> Tensor:
        tensor = self._tensors[label]
        if tensor._version != self._versions[label]:
            raise InputError(
                f'"{label}", which was written into after it was explained',
                "what was explained, as it was then: the record holds no copy of it",
                "explain a copy: explainer(x.clone())",
            )
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return repr(self._tensors)

    def __reduce__(self) -> tuple[Any, ...]:
        return AsGiven, (dict(self),)
