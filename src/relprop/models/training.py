"""How each model is trained: data set, epochs and settings, by the name of the model.

Gives frozen records. Must not know how training runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..data.families import Family
from ..errors import InputError
from ..support.arguments import suggest


@dataclass(frozen=True)
class Training:
    """Settings of a training: AdamW, one cycle of the learning rate, randomly moved images.

    Attributes:
        epochs: Number of passes over the training data.
        family: Data set whose training split is used.
        learning_rate: Largest learning rate of the cycle.
        weight_decay: Weight decay of AdamW.
        batch_size: Images per step.
        rotation: Largest rotation of an image either way, in degrees.
        scale: Largest change of size either way, as a fraction.
        shift: Largest shift in each direction, in pixels.
    """

    epochs: int
    family: Family = "mnist"
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    batch_size: int = 128
    rotation: float = 10.0
    scale: float = 0.1
    shift: float = 2.0

    def __str__(self) -> str:
        return (
            f"AdamW, epochs: {self.epochs}, batches of {self.batch_size}, one learning-rate cycle "
            f"up to {self.learning_rate:g}, weight decay {self.weight_decay:g}; images moved at "
            f"random, by up to {self.rotation:g} degrees, {self.scale:.0%} of size, {self.shift:g} "
            "pixels; the last epoch is kept"
        )


TRAININGS = {
    "mnist-dnn-500": Training(epochs=40),
    "mnist-dnn-300-100": Training(epochs=40),
    "mnist-cnn": Training(epochs=14),
    "fashion-dnn-500": Training(epochs=40, family="fashion-mnist"),
    "fashion-dnn-300-100": Training(epochs=40, family="fashion-mnist"),
    "fashion-cnn": Training(epochs=6, family="fashion-mnist"),
}
LICENCES: Mapping[Family, str] = MappingProxyType(
    {
        "mnist": "MIT, as relprop; the digits it was trained on are MNIST, CC BY-SA 3.0",
        "fashion-mnist": "MIT, as relprop; the pictures it was trained on are Fashion-MNIST, MIT",
    }
)


def training_of(name: str, epochs: int | None = None) -> Training:
    """Look up how a model is trained; `epochs` replaces the number of epochs.

    Raises:
        InputError: Unknown name, or less than one epoch.
    """
    if name not in TRAININGS:
        given = f"there is no training for a model named {name!r}"
        raise InputError(given, ", ".join(TRAININGS), suggest(name, TRAININGS))
    if epochs is not None and epochs < 1:
        raise InputError(f"epochs is {epochs}", "a whole number from 1 up", "write epochs=1")
    return replace(TRAININGS[name], epochs=epochs or TRAININGS[name].epochs)
