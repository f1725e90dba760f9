"""Samples of the user's files as one batch, and what removal means for their kind.

Takes settings of a report and a loaded model. Gives inputs with fills and units. Must not know
recipes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..bundles.user_model import UserModel
from ..errors import InputError
from ..evaluate import tokens
from ..evaluate.fills.registry import as_fill
from ..evaluate.removal.setup import Filling
from ..plot.view import ViewKind
from ..report.batches import first_tensor, typed_as_weights
from ..report.curves import present_tokens, removal_fills, unit_count
from ..report.open_samples import open_samples
from ..report.settings import Settings
from .objective import take_rows

_LEAST_LENGTH = 6  # tokens, below which a text cannot be removed step by step


@dataclass(frozen=True)
class TuningSamples:
    """Samples to tune on.

    Attributes:
        x: What the model is called with.
        kind: What they are.
        fills: Name -> fill: those that are tuned for, where none are named.
        units: What is removed together; None: what the input shows.
        least: Units that every sample has: there are no more steps.
        count: How many samples the data has.
        left_out: How many could not be read, or are too short.
    """

    x: Any
    kind: ViewKind
    fills: Mapping[str, Filling]
    units: Any
    least: int
    count: int
    left_out: int


def read_samples(settings: Settings, model: UserModel) -> TuningSamples:
    """Read samples, evenly spaced, and prepare them for a model.

    Args:
        settings: The data and its options, as of a report.
        model: The model.

    Raises:
        RelpropError: They cannot be read, or are not what the model takes.
    """
    samples = open_samples(settings, model)
    wanted = samples.count if settings.samples is None else min(settings.samples, samples.count)
    batch, left_out = next(samples.batches(wanted, wanted))
    if not batch.names:
        given, allowed = "no sample that could be read", "samples that the model takes"
        raise InputError(given, allowed, "look at the data by relprop explain")
    x, kind = typed_as_weights(batch.inputs, model.module), samples.kind
    out = len(left_out)
    if kind == "text":
        long = present_tokens(x).sum(1) >= _LEAST_LENGTH
        out += int((~long).sum())
        x = take_rows(x, long.nonzero()[:, 0])
    masked = model.bundle is not None and model.bundle.content.members[0].facts.masked
    named = removal_fills(kind, x, masked)
    first = named[0]
    return TuningSamples(
        x=x,
        kind=kind,
        fills={first[0]: first[1] if kind == "text" else as_fill(first[1], first_tensor(x))},
        units=_units_of_batch(kind, first[2], x),
        least=unit_count(kind, x, first[2]),
        count=samples.count,
        left_out=out,
    )


def _units_of_batch(kind: ViewKind, units: Any, x: Any) -> Any:
    """Return what is removed together as a function of some of the samples."""
    if kind != "text" or not isinstance(x, Tensor):
        return units if kind == "series" else None
    return lambda part: tokens(part != 0)(part)
