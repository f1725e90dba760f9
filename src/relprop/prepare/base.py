"""What a preparation is: it was fitted on the training part, and maps raw samples to tensors.

Gives the protocol that every modality follows, so that bundles, training and explanations need to
know none of them. Must not know networks or files.
"""

from typing import Any, Protocol, Self

from torch import Tensor

from ..data.dataset import SampleData


class Preparation(Protocol):
    """Maps raw samples of one modality to what networks take; frozen.

    It is made by `fit` functions of the modules beside this one. `state` and `restore` are inverse
    to each other, so that a bundle can hold it as JSON and tensors.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a prepared sample, without the batch."""

    @property
    def vocabulary(self) -> int:
        """Number of different token ids; 0 where samples are no token ids."""

    def apply(self, samples: SampleData) -> Tensor:
        """Prepare raw samples, (n, *shape).

        Args:
            samples: As `Dataset.samples` holds them, those of the training part or others.

        Raises:
            InputError: Samples that networks of this data cannot take, such as pictures with
                another number of channels.
        """

    def describe(self) -> str:
        """Say in words what is done to samples."""

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return all that was fitted: plain values, for JSON, and tensors by name."""

    @classmethod
    def restore(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """Make the preparation again that gave `state()`.

        Args:
            state: Its plain values.
            tensors: Its tensors.
        """
