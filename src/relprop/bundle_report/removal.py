"""The part of a report that tests relevance: curves of removing what is relevant.

Takes a bundle and samples. Gives a section of HTML. Must not know how pages are laid out.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..bundles.bundle import Bundle
from ..data.words import counted
from ..evaluate import bootstrap_mean, columns, removal_curves, tokens
from ..evaluate.removal.curve_page import curves_fragment
from ..evaluate.removal.method_curves import MethodCurves, curve_panels
from .explanations import Explained
from .removal_units import long_enough, series_windows
from .sections import ReportSection
from .time_limit import TimeLimit

_SAMPLES = 64
_STEPS = 10
_PASSES = 4 * _STEPS  # of each sample: three orders, and what is around them


def removal_section(what: Explained, clock: TimeLimit, seed: int = 0) -> ReportSection | None:
    """Measure removal curves; None where there is no time for a few samples."""
    x, count = _samples(what, clock)
    if count < 2:
        return None
    curves = measure_removal(what.bundle, x[:count], seed=seed)
    gain = curves["LRP"].srg.double()
    if curves["LRP"].morf.scores.shape[1] < 3:  # of one part at once there is no order
        return None
    html = curves_fragment(curve_panels(curves))
    shorter = count - len(gain)
    left_out = counted(shorter, "shorter text is", "shorter texts are")
    hint = (
        "If relevance is faithful, removing the most relevant first lowers the score fast, and "
        "removing the least relevant first keeps it. The gap is the symmetric relevance gain: "
        f"{bootstrap_mean(gain)}; 0 is that of a random order."
        + (f" {left_out} left out." if shorter else "")
    )
    return ReportSection("Whether relevance is faithful", hint, html)


def _samples(what: Explained, clock: TimeLimit) -> tuple[Tensor, int]:
    """Return prepared samples, evenly spaced, and of how many there is time for curves."""
    wanted = min(_SAMPLES, len(what.outputs.rows))
    places = np.linspace(0, len(what.outputs.rows) - 1, wanted).round().astype(int).tolist()
    x = what.bundle.prepare_samples(what.samples(places))
    if not clock.is_limited:
        return x, wanted
    start = time.monotonic()
    what.bundle.outputs(x)
    passes = _PASSES * (time.monotonic() - start) / wanted
    with clock.measured("curve"):
        what.bundle.explainer(x[:1])
    explaining = clock.afforded(wanted, "curve", share=0.3)
    return x, min(wanted, explaining, int(0.4 * clock.left / max(passes, 1e-9)))


def measure_removal(bundle: Bundle, x: Tensor, *, seed: int = 0) -> dict[str, MethodCurves]:
    """Measure how the score of the prediction falls when what is relevant is removed.

    Args:
        bundle: The model.
        x: Prepared samples, (n, *features), n >= 2.
        seed: Random seed.

    Returns:
        "LRP" -> its curves. Removed are pixels, columns of a table, tokens, or windows of a tenth
        of a channel of a series. The mean of the samples stands for them; for pixels their
        neighbours do, since holes at random are a noise that ruins any picture, as single steps
        ruin any series; for tokens padding. Of texts, those that are too short for the steps of
        half of them are left out.
    """

    def prediction(output: Tensor) -> Tensor:  # by this name pages call it
        return output[:, 0]

    x = x[long_enough((x != 0).sum(1), _STEPS)] if bundle.modality == "text" else x
    explained = bundle.explainer(x)
    is_value = bundle.task == "value"
    units, fill, count = _units(bundle, x)
    relevance = explained.relevance.detach()
    curves = removal_curves(
        bundle.explained_model,
        x,
        {"LRP": relevance},
        target=None if is_value else explained.prediction,
        fill=fill,
        steps=min(_STEPS, count),
        score=prediction if is_value else "probability",
        output_kind=None if is_value else explained.head.kind,
        units=units,
        seed=seed,
    )
    return dict(curves)


def _units(bundle: Bundle, x: Tensor) -> tuple[Any, str, int]:
    """Return what is removed together, what stands for it, and how many units a sample has."""
    if bundle.modality == "text":
        return tokens(x != 0), "zero", int((x != 0).sum(1).min())
    if bundle.modality == "table":
        preparation: Any = bundle.preparation
        index = torch.empty(x.shape[1], dtype=torch.int64)
        for number, of in enumerate(preparation.columns.groups.values()):
            index[list(of)] = number
        return columns(index.tolist()), "mean", int(index.max()) + 1
    if bundle.modality == "picture":
        return None, "neighbours", x.shape[-1] * x.shape[-2]
    units = series_windows(x, _STEPS, masked=bundle.content.members[0].facts.masked)
    return units, "mean", int(units.count.min())
