"""How numbers and names read: one wording for the page, the figures and the terminal.

Takes numbers and records. Gives short strings. Must not know HTML or figures.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ..evaluate import Order
from ..evaluate.statistics.classification import MarginStatistics, Proportion
from ..evaluate.statistics.estimates import Interval
from ..evaluate.statistics.paired_test import PairedTest
from ..models.card import ModelCard

NOTHING = "\N{EN DASH}"  # shown for a number of an empty group

ORDER_NAMES: Mapping[Order, str] = MappingProxyType(
    {"morf": "most relevant", "lerf": "least relevant", "random": "random"}
)


def percent(value: float) -> str:
    """A share in percent, with one decimal."""
    return f"{100 * value:.1f}%"


def share(value: Proportion) -> str:
    """A share in percent."""
    return percent(value.value)


def share_interval(interval: Interval) -> str:
    """The interval of a share, in percent."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def margin(value: float | None, decimals: int = 3) -> str:
    """A margin; one that would round to 1 is shown as above the largest number below it."""
    if value is None:
        return NOTHING
    text = f"{value:.{decimals}f}"
    return f">0.{'9' * decimals}" if float(text) >= 1 else text


def margin_interval(margins: MarginStatistics) -> str:
    """The interval of a mean margin."""
    interval = margins.interval
    if interval is None:
        return "" if margins.n == 0 else "one digit"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def difference(value: PairedTest) -> str:
    """A difference of shares in percentage points, with its interval."""
    points = f"{100 * value.difference.mean:.1f} points"
    interval = value.difference.interval
    return points if interval is None else f"{points} ({share_interval(interval)})"


def comparison(value: PairedTest) -> str:
    """A difference in percentage points with its interval, and what McNemar's test says."""
    p_value = "p<1e-15" if value.p_value < 1e-15 else f"p={value.p_value:.2g}"
    return f"{difference(value)}, McNemar {p_value}"


def layers(card: ModelCard) -> str:
    """The layers that have weights, with their sizes."""
    names = []
    for layer in card.architecture:
        if layer["layer"] == "linear":
            names.append(f"linear {layer['in_features']} to {layer['out_features']}")
        elif layer["layer"] == "conv2d":
            names.append(f"convolution {layer['in_channels']} to {layer['out_channels']}")
    return ", ".join(names)
