"""The part of a report that says how well a network uses its layers: what could be narrower.

Takes a bundle and samples. Gives a section of HTML. Must not know how relevance is computed.
"""

import numpy as np

from ..errors import InputError, RelpropError
from ..explanation.layer_use import CARRIED, LayerUse, utilisation
from ..plot.charts import NumberTable, chart_fragment
from .explanations import Explained
from .sections import ReportSection
from .time_limit import TimeLimit

_TITLE = "How well it uses its layers"
_SAMPLES = 32
_PASSES = 8 * 24  # samples whose units are followed to the input, over the layers of most networks
_HEAD = ("layer", "channels", "dead", f"carry {CARRIED:.0%}", "bias", "pixels")


def layer_section(what: Explained, clock: TimeLimit) -> ReportSection | None:
    """Describe the layers by relevance for the true classes; None without classes, or time."""
    if what.bundle.task != "classes":
        return None
    wanted = _SAMPLES + _PASSES
    if clock.afforded(wanted, "sample", share=0.3) < wanted:
        return None
    count = min(_SAMPLES, len(what.outputs.rows))
    places = np.linspace(0, len(what.outputs.rows) - 1, count).round().astype(int).tolist()
    x = what.bundle.prepare_samples(what.samples(places))
    y = what.outputs.targets[places].to(x.device)
    try:
        used = utilisation(what.bundle.explained_model, x, y, recipe=what.bundle.explainer.recipe)
    except InputError:  # no layer before the scores
        return None
    except RelpropError as error:
        return ReportSection(_TITLE, f"Not measured: {error.given}.", "")
    html = chart_fragment(
        f"{len(used.layers)} layers before the scores, {used.samples} samples.",
        [],
        [NumberTable("Layer by layer", _HEAD, [_row(one) for one in used.layers])],
    )
    hint = (
        f"Channels that carry {CARRIED:.0%} of a layer's relevance, those without any (dead), the "
        "share of the score that its bias absorbs, and how far from its middle 90% of a unit's "
        f"relevance lies. {_advice(used.layers)}"
    )
    return ReportSection(_TITLE, hint, html)


def _row(one: LayerUse) -> list[str]:
    radius = "" if one.radius is None else f"{one.radius:.1f}"
    share = f"{one.carrying} ({one.carrying / one.channels:.0%})"
    bias = f"{one.absorbed_by_bias:.1%}"
    return [one.name, str(one.channels), str(one.dead), share, bias, radius]


def _advice(layers: tuple[LayerUse, ...]) -> str:
    """Say how much narrower the network could be tried."""
    share = sum(one.carrying for one in layers) / sum(one.channels for one in layers)
    return (
        f"Layers of {share:.0%} of these widths are worth a try, as width = [...] of the family in "
        "the table [space] of the fit's TOML file; measured once, it neither helped nor harmed."
    )
