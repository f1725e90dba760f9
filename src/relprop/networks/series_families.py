"""Families of networks for time series: what may be searched, and a default for each.

The defaults depend on the number and the length of the series alone, so that they are the same for
all data sets. Must not know data or training.
"""

from collections.abc import Callable

from torch import nn

from .family import Choice, Facts, NetworkFamily, Range, Settings, Space, Value
from .series_convolutions import FCN, SHORT, CNN1d, Inception
from .series_sequences import gru, transformer

LONG = 256  # steps: two neighbours are averaged in longer series
SMALL_BATCH, BATCH = 16, 64
MANY_SERIES = 1000  # samples: from here on larger batches
TRAINING_STEPS = 2000  # updates of the weights, within limits of the epochs
FEWEST_EPOCHS, MOST_EPOCHS = 30, 250


def _training(facts: Facts, rate: float) -> dict[str, Value]:
    batch = SMALL_BATCH if facts.samples < MANY_SERIES else BATCH
    is_short = facts.shape[1] < SHORT  # stretched, its values would be much changed
    epochs = round(TRAINING_STEPS * batch / max(facts.samples, batch))
    return {
        **{"standardise": "channel", "optimiser": "adamw", "rate": rate, "decay": 1e-2},
        **{"batch": batch, "epochs": min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)},
        **{"smoothing": 0.05, "average": 0.0},
        **{"members": 1, "mixup": 0.0},
        **{"noise": 0.05 if is_short else 0.02, "scale": 0.1, "stretch": 0.0 if is_short else 0.2},
    }


def _training_space(facts: Facts) -> dict[str, Choice | Range]:
    return {
        "standardise": Choice(("channel", "series")),
        "rate": Range(5e-4, 1e-2, log=True),
        "decay": Range(1e-4, 1e-1, log=True),
        "smoothing": Choice((0.0, 0.05, 0.1)),
        "noise": Choice((0.0, 0.02, 0.05, 0.1)),
        "scale": Choice((0.0, 0.1, 0.2)),
        "stretch": Choice((0.0, 0.1, 0.2)),
        "mixup": Choice((0.0, 0.2)),
        "dropout": Choice((0.0, 0.1, 0.3)),
    }


def _family(
    name: str,
    build: Callable[[Settings, Facts], nn.Module],
    network: Callable[[Facts], dict[str, Value]],
    choices: Space,
    rate: float = 3e-3,
) -> NetworkFamily:
    def space(facts: Facts) -> Space:
        return {**_training_space(facts), **choices}

    def default(facts: Facts) -> Settings:
        return {**_training(facts, rate), **network(facts)}

    return NetworkFamily(name, "series", build, space, default)


def _convolutional(facts: Facts, width: int, **more: Value) -> dict[str, Value]:
    return {"width": width, "normalisation": "batch", "activation": "relu", "dropout": 0.0, **more}


def _is_long(facts: Facts) -> bool:
    return facts.shape[1] > LONG


ACTIVATION = {"activation": Choice(("relu", "gelu"))}
NORMALISATION = {"normalisation": Choice(("batch", "none"))}

SERIES_FAMILIES = (
    _family(
        "fcn",
        FCN,
        lambda facts: _convolutional(facts, 64, halve=_is_long(facts)),
        {"width": Choice((32, 64, 96)), "halve": Choice((False, True)), **ACTIVATION},
    ),
    _family(
        "inception",
        Inception,
        lambda facts: _convolutional(facts, 16, depth=3, halve=_is_long(facts)),
        {"width": Choice((8, 16, 32)), "depth": Choice((3, 6)), "halve": Choice((False, True))},
    ),
    _family(
        "cnn1d",
        CNN1d,
        lambda facts: _convolutional(facts, 32, depth=3, kernel=7),
        {
            **{"width": Choice((16, 32, 64)), "depth": Range(2, 5, whole=True)},
            **{"kernel": Choice((3, 5, 7, 11)), **NORMALISATION, **ACTIVATION},
        },
    ),
    _family(
        "gru",
        gru,
        lambda facts: {"width": 64, "depth": 1, "dropout": 0.1},
        {"width": Choice((32, 64, 128)), "depth": Choice((1, 2))},
    ),
    _family(
        "transformer",
        transformer,
        lambda facts: {"width": 64, "depth": 2, "dropout": 0.1},
        {"width": Choice((32, 64, 128)), "depth": Range(1, 4, whole=True)},
        rate=1e-3,
    ),
)
