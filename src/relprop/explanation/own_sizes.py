"""Cuts what was computed of a padded batch to the size that each sample has by itself.

Which dimensions grow with the length is read off one sample, of which a result is known both alone
and padded. Takes shapes and tensors. Must not know models.

length  the number of positions of a sample; `padded` that of the batch, which it is padded to
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..errors import InputError

WITHOUT_PADDING = "write mask=None: then only samples of equal shape share a batch"
_SIZES = "results that begin with the samples, of sizes that are fixed or grow with the length"


@dataclass(frozen=True)
class OwnSizes:
    """The sizes of one result of a sample, without the dimension of the batch.

    Attributes:
        sizes: Each size; of a dimension that grows with the length, how many more than the length.
        grows: Whether each dimension grows with the length.
    """

    sizes: tuple[int, ...]
    grows: tuple[bool, ...]

    @classmethod
    def fixed(cls, result: Tensor) -> "OwnSizes":
        """Return the sizes of the result of a batch without padding."""
        return cls(tuple(result.shape[1:]), (False,) * (result.ndim - 1))

    @classmethod
    def read_off(
        cls, alone: Sequence[int], length: int, together: Sequence[int], padded: int
    ) -> "OwnSizes":
        """Read off which dimensions grow.

        Args:
            alone: Shape of the result of one sample, (1, ...).
            length: Of that sample.
            together: Shape of the same result of a padded batch, (batch, ...).
            padded: Length of the batch.

        Raises:
            InputError: A size changes by something else than the padding.
        """
        more = [b - a for a, b in zip(alone[1:], together[1:], strict=False)]
        if len(alone) != len(together) or not set(more) <= {0, padded - length}:
            raise _other_size(alone, together, length, padded)
        grows = tuple(bool(one) for one in more)
        sizes = tuple(a - length * g for a, g in zip(alone[1:], grows, strict=True))
        return cls(sizes, grows)

    def of(self, length: int) -> tuple[int, ...]:
        """Return the sizes for a length."""
        return tuple(a + length * g for a, g in zip(self.sizes, self.grows, strict=True))

    def own(self, result: Tensor, index: int, length: int) -> Tensor:
        """Return a view of the result of one sample, (1, ...), without what padding added."""
        view = result[index : index + 1]
        for dim, size in enumerate(self.of(length), 1):
            view = view.narrow(dim, 0, size)
        return view

    def checked(self, result: Tensor, padded: int) -> "OwnSizes":
        """Return these sizes. Raises InputError unless the result of a padded batch has them."""
        got, expected = tuple(result.shape[1:]), self.of(padded)
        if got != expected:
            given = f"a result of sizes {got} at length {padded}, where {expected} were expected"
            raise InputError(given, _SIZES, WITHOUT_PADDING)
        return self


def _other_size(
    alone: Sequence[int], together: Sequence[int], length: int, padded: int
) -> InputError:
    given = f"a result of shape {tuple(alone)} of a sample alone, and {tuple(together)} in a batch"
    if padded > length:
        given = f"{given}, which pads it from {length} to {padded}"
        return InputError(given, _SIZES, WITHOUT_PADDING)
    return InputError(given, _SIZES, "leave layers out, or write bucket_size=1")


def map_results(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """Apply a function to each tensor in nested mappings and tuples, and to what is beside it.

    Args:
        function: Takes a tensor, and what has its place in each of the others.
        first: Tensors, None, and mappings or tuples of these.
        others: Built alike.
    """
    if isinstance(first, Mapping):
        return {k: map_results(function, v, *(o[k] for o in others)) for k, v in first.items()}
    if isinstance(first, tuple):
        return tuple(map_results(function, *beside) for beside in zip(first, *others, strict=True))
    return None if first is None else function(first, *others)
