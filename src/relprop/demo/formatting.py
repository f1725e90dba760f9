"""Numbers and names as text, in one way for the pages, the figures and the terminal.

Takes numbers and records. Gives short strings. Must not know HTML or figures.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ..evaluate.statistics.classification import MarginStatistics, Proportion
from ..models.card import ModelCard
from .removal import BRIGHTEST, INK, RANDOM

EMPTY_GROUP = "\N{EN DASH}"  # shown for a number of a group without members
FEWEST = 20  # of a group for which an interval is shown
SURE = 0.99  # margins above it are not told apart

FILL_NAMES: Mapping[str, str] = MappingProxyType({"zero": "black", "mean": "mean grey"})
ORDER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        BRIGHTEST: "brightest first",
        INK: "random ink",
        RANDOM: "random pixels (weak: most are blank)",
    }
)


def percent(value: float) -> str:
    """Format a fraction in percent: whole, but with one decimal near 0% and near 100%."""
    return f"{100 * value:.{_decimals(value)}f}%"


def rate(value: Proportion) -> str:
    """Format a proportion in percent."""
    return percent(value.value)


def rate_interval(value: Proportion) -> str:
    """Format the interval of a proportion, in percent; "" for one of too few."""
    if value.n < FEWEST:
        return ""
    decimals = _decimals(value.value)
    low, high = 100 * value.interval.low, 100 * value.interval.high
    return f"{low:.{decimals}f} to {high:.{decimals}f}"


def margin(value: float | None, decimals: int = 3) -> str:
    """Format a margin; one that would round to 1 is shown as above the largest number below 1."""
    if value is None:
        return EMPTY_GROUP
    text = f"{value:.{decimals}f}"
    return f">0.{'9' * decimals}" if float(text) >= 1 else text


def margin_interval(margins: MarginStatistics) -> str:
    """Format the interval of a mean margin; "" for one of too few."""
    interval = margins.interval
    if interval is None or margins.n < FEWEST:
        return ""
    return f"{interval.low:.3f} to {interval.high:.3f}"


def certainty(value: float) -> str:
    """Say how certain a prediction is."""
    return "sure" if value > SURE else f"margin {value:.2f}"


def listing(words: Sequence[str]) -> str:
    """Join words by commas and "and"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def layers(card: ModelCard) -> str:
    """List the layers that have weights, with their sizes."""
    names = []
    for layer in card.architecture:
        if layer["layer"] == "linear":
            names.append(f"linear {layer['in_features']} to {layer['out_features']}")
        elif layer["layer"] == "conv2d":
            names.append(f"convolution {layer['in_channels']} to {layer['out_channels']}")
    return ", ".join(names)


def _decimals(value: float) -> int:
    return 0 if value in (0, 1) or 0.0995 <= value < 0.995 else 1
