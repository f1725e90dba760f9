"""Numbers and names as text, in one way for the page, the figures and the terminal.

Takes numbers and records. Gives short strings. Must not know HTML or figures.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ..evaluate import Order
from ..evaluate.statistics.classification import MarginStatistics, Proportion
from ..evaluate.statistics.paired_test import PairedTest
from ..models.card import ModelCard
from ..support.estimates import Interval

EMPTY_GROUP = "\N{EN DASH}"  # shown for a number of a group without members

ORDER_NAMES: Mapping[Order, str] = MappingProxyType(
    {"morf": "most relevant", "lerf": "least relevant", "random": "random"}
)


def percent(value: float) -> str:
    """Format a fraction in percent, with one decimal."""
    return f"{100 * value:.1f}%"


def rate(value: Proportion) -> str:
    """Format a proportion in percent."""
    return percent(value.value)


def rate_interval(interval: Interval) -> str:
    """Format the interval of a proportion, in percent."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def margin(value: float | None, decimals: int = 3) -> str:
    """Format a margin; one that would round to 1 is shown as above the largest number below 1."""
    if value is None:
        return EMPTY_GROUP
    text = f"{value:.{decimals}f}"
    return f">0.{'9' * decimals}" if float(text) >= 1 else text


def margin_interval(margins: MarginStatistics) -> str:
    """Format the interval of a mean margin."""
    interval = margins.interval
    if interval is None:
        return "" if margins.n == 0 else "one digit"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def difference(value: PairedTest) -> str:
    """Format a difference of error rates in percentage points, with its interval."""
    points = f"{100 * value.difference.mean:.1f} points"
    interval = value.difference.interval
    return points if interval is None else f"{points} ({rate_interval(interval)})"


def comparison(value: PairedTest) -> str:
    """Format a difference in percentage points with its interval and McNemar's p-value."""
    p_value = "p<1e-15" if value.p_value < 1e-15 else f"p={value.p_value:.2g}"
    return f"{difference(value)}, McNemar {p_value}"


def layers(card: ModelCard) -> str:
    """List the layers that have weights, with their sizes."""
    names = []
    for layer in card.architecture:
        if layer["layer"] == "linear":
            names.append(f"linear {layer['in_features']} to {layer['out_features']}")
        elif layer["layer"] == "conv2d":
            names.append(f"convolution {layer['in_channels']} to {layer['out_channels']}")
    return ", ".join(names)
