"""Families of networks for tables: what may be searched, and a default that is fixed in advance.

Gives records. Their settings are those of the preparation, of the network and of its training. Must
not know how any of these is done.
"""

from typing import Any

from torch import nn

from .family import Choice, Facts, NetworkFamily, Range, Settings, Value
from .table_mlp import ResidualMLP, TableMLP
from .tabm import TabM

# Training rows below which several small networks are averaged and slow teachers are affordable.
_FEW = 5000


def _space(facts: Facts) -> dict[str, Choice | Range]:
    """Return what is searched in every family."""
    few = facts.samples < _FEW
    return {
        "numbers": Choice(("standard", "normal")),
        "bins": Choice((0, 8, 16, 32, 64)),
        "bins_by": Choice(("quantile", "tree")),
        "width": Choice((48, 96, 192) if few else (128, 256, 384, 512)),
        "depth": Range(1, 4, whole=True),
        "activation": Choice(("relu", "gelu")),
        "dropout": Range(0.0, 0.5),
        "rate": Range(3e-4, 1e-2, log=True),
        "decay": Range(1e-5, 1e-1, log=True),
        "batch": Choice((32, 64, 128) if few else (128, 256, 512)),
        "smoothing": Range(0.0, 0.2),
    }


def _default(facts: Facts) -> dict[str, Value]:
    """Return the settings that all families share."""
    few = facts.samples < _FEW
    return {
        "numbers": "standard",
        "bins": 0 if few else 32,
        "bins_by": "tree",
        "teacher": "best" if few else "boosted",
        "copies": _copies(facts.samples),
        "swap": 0.25,
        "mix": few,
        "width": 96 if few else 384,
        "depth": 2,
        "activation": "relu",
        "dropout": 0.0,
        "ensemble": 8 if few else 1,
        "optimiser": "adamw",
        "rate": 3e-3 if few else 1e-3,
        "decay": 1e-2,
        "batch": 64 if few else 256,
        "epochs": 22 if few else 10,
        "smoothing": 0.0,
        "average": 0.0 if few else 0.999,
        "members": 1,
        "mixup": 0.0,
    }


def _copies(samples: int) -> int:
    """Return how many rows a teacher labels beside each training row.

    Beside few rows about 4,000, which make a network its teacher's equal; beside many, as many as
    memory allows.
    """
    if samples < _FEW:
        return min(max(4000 // samples, 6), 20)
    return min(max(250_000 // samples, 1), 8)


def _shared(settings: Settings, facts: Facts) -> dict[str, Any]:
    """Return the arguments that all networks for tables take."""
    return {
        "features": facts.shape[0],
        "outputs": facts.outputs,
        "width": int(settings["width"]),
        "depth": int(settings["depth"]),
        "activation": str(settings["activation"]),
        "dropout": float(settings["dropout"]),
        "ensemble": int(settings["ensemble"]),
    }


def _mlp(settings: Settings, facts: Facts) -> nn.Module:
    return TableMLP(**_shared(settings, facts))


def _residual_mlp(settings: Settings, facts: Facts) -> nn.Module:
    normalisation = str(settings["normalisation"])
    return ResidualMLP(normalisation=normalisation, **_shared(settings, facts))


def _tabm(settings: Settings, facts: Facts) -> nn.Module:
    return TabM(**_shared(settings, facts))


TABLE_FAMILIES = (
    NetworkFamily("mlp", "table", _mlp, _space, _default),
    NetworkFamily(
        "residual-mlp",
        "table",
        _residual_mlp,
        lambda facts: {**_space(facts), "normalisation": Choice(("batch", "none"))},
        lambda facts: {**_default(facts), "normalisation": "batch"},
    ),
    NetworkFamily(
        "tabm",
        "table",
        _tabm,
        _space,
        lambda facts: {**_default(facts), "ensemble": 16},
    ),
)
