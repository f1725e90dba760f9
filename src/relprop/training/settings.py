"""The settings of a training, read from the flat settings of a trial, and checked.

Takes plain values by name. Gives a frozen record. Must not know networks or data.
"""

from dataclasses import MISSING, dataclass, fields
from typing import Any

from ..errors import InputError
from ..networks.family import Settings
from ..support.arguments import suggest

OPTIMISERS = ("sgd", "adamw")


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        optimiser: "sgd" (with Nesterov's momentum of 0.9) or "adamw".
        rate: The largest learning rate.
        decay: Weight decay, of matrices and kernels alone.
        batch: Samples in a batch.
        epochs: Passes over the training samples, where time allows them.
        smoothing: Label smoothing, 0 to 1: what share of a target goes to all classes alike.
        average: Decay of the moving average of the weights, a step; 0: no average.
        mixup: Parameter of the beta distribution by which two samples are mixed; 0: none are.
    """

    optimiser: str
    rate: float
    decay: float
    batch: int
    epochs: int
    smoothing: float = 0.0
    average: float = 0.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            allowed = ", ".join(f'"{name}"' for name in OPTIMISERS)
            todo = suggest(self.optimiser, OPTIMISERS)
            raise InputError(f"optimiser is {self.optimiser!r}", allowed, todo)
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if not low <= value < high:
                raise InputError(
                    f"{name} is {value!r}",
                    f"a number from {low:g} to below {high:g}",
                    f"write {name}={_EXAMPLES[name]}",
                )

    def steps(self, samples: int) -> int:
        """Return how many steps a training on so many samples has."""
        return -(-samples // self.batch) * self.epochs

    @classmethod
    def of(cls, settings: Settings) -> "TrainingSettings":
        """Read them from all settings of a trial, whose others belong to network and samples.

        Raises:
            InputError: One is missing, has the wrong type or is out of range.
        """
        needed = [field.name for field in fields(cls) if field.default is MISSING]
        missing = [name for name in needed if name not in settings]
        if missing:
            line = ", ".join(f"{name}={_EXAMPLES[name]!r}" for name in missing)
            given = f"settings of a training without {' and '.join(missing)}"
            raise InputError(given, ", ".join(needed), f"add {line}")
        values: dict[str, Any] = {}
        for field in fields(cls):
            if field.name in settings:
                values[field.name] = _typed(field.name, settings[field.name], field.type)
        return cls(**values)


_LIMITS = [
    ("rate", 1e-12, 1e6),
    ("decay", 0, 1e6),
    ("batch", 1, float("inf")),
    ("epochs", 1, float("inf")),
    ("smoothing", 0, 1),
    ("average", 0, 1),
    ("mixup", 0, 1e6),
]
_EXAMPLES = {
    "optimiser": "sgd",
    "rate": 0.1,
    "decay": 5e-4,
    "batch": 128,
    "epochs": 30,
    "smoothing": 0.1,
    "average": 0.999,
    "mixup": 0.2,
}


def _typed(name: str, value: object, kind: object) -> object:
    """Return a value of a setting, whole numbers as floats where these are asked for."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number:
        return float(value)  # type: ignore[arg-type]
    if kind is int and is_number and float(value).is_integer():  # type: ignore[arg-type]
        return int(value)  # type: ignore[call-overload]
    if kind is str and isinstance(value, str):
        return value
    words = {float: "a number", int: "a whole number", str: "a word"}
    raise InputError(
        f"{name} is {value!r}",
        words[kind],  # type: ignore[index]
        f"write {name}={_EXAMPLES[name]!r}",
    )
