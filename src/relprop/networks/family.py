"""What a family of networks is: how to build one, what may be searched, and a good default.

Gives frozen records. A network is made of a family's name, its settings and facts about the data,
all plain values, so that a bundle can name it in JSON. Must not know training or data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from ..data.dataset import Modality, TaskKind

Value = bool | int | float | str
Settings = Mapping[str, Value]


@dataclass(frozen=True)
class Choice:
    """A setting that is one of several values.

    Attributes:
        options: The values.
    """

    options: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """A setting that is a number between two others.

    Attributes:
        low: The smallest value.
        high: The largest value.
        log: Whether it is searched by its logarithm.
        whole: Whether it is a whole number.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False


Space = Mapping[str, Choice | Range]


@dataclass(frozen=True)
class Facts:
    """What a family may know of the data.

    Attributes:
        modality: What the samples are.
        task: What is predicted of them.
        outputs: How many numbers the network gives for a sample.
        samples: How many samples it is trained on.
        shape: Shape of a prepared sample, such as (1, 28, 28), (features,), (channels, time) or
            (tokens,).
        vocabulary: Number of different token ids; 0 where there are none.
        encoder: Folder of a pretrained `transformers` encoder; "" for none.
        masked: Of series: whether the last channel says where there is data (1) and padding (0).
        mirrors: Of pictures: whether they keep their class when they are mirrored, left to right.
    """

    modality: Modality
    task: TaskKind
    outputs: int
    samples: int
    shape: tuple[int, ...]
    vocabulary: int = 0
    encoder: str = ""
    masked: bool = False
    mirrors: bool = False


@dataclass(frozen=True)
class NetworkFamily:
    """Networks of one kind.

    Attributes:
        name: What users call it: "mlp", "resnet".
        modality: What it takes.
        build: Makes an untrained network, which maps (n, *shape) to scores (n, outputs).
        space: What may be searched: of the network, its preparation of samples, and its training.
        default: Values of all settings for the first trial, well tuned and fixed in advance.
    """

    name: str
    modality: Modality
    build: Callable[[Settings, Facts], nn.Module]
    space: Callable[[Facts], Space]
    default: Callable[[Facts], Settings]


@runtime_checkable
class Starts(Protocol):
    """A network that takes something from the training samples before it is trained."""

    def start(self, inputs: Tensor, targets: Tensor) -> None:
        """Look at all training samples once.

        Args:
            inputs: Prepared samples, (n, ...).
            targets: Class numbers (n,), labels (n, outputs), or standardised values (n, 1).
        """
