"""Bars and lines of error rates, as numbers that a page draws.

Takes the results of a demo. Gives frozen records: positions in percent or in units of a drawing,
and words. Must not know HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..evaluate.statistics.classification import ClassificationSummary, Proportion
from . import formatting
from .networks import CURVE_ORDERS, NetworkResult
from .removal import CONTROL_ORDERS, DEMO_FILLS, RANDOM
from .rule_table import MAIN_RECIPE, RuleTable

# of a drawing of lines, in its own units
WIDTH, HEIGHT = 344, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 322, 12, 176


@dataclass(frozen=True)
class ErrorBar:
    """The bar of an error rate.

    Attributes:
        words: The rate in words.
        title: The rate with its count and interval, for who points at it.
        width: Percent of the room.
        low: Lower end of the interval, in percent; None for one of too few digits.
        high: Upper end.
    """

    words: str
    title: str
    width: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class BarRow:
    """Bars of one order.

    Attributes:
        name: What is removed first.
        bars: A bar for each fill.
        recipe: Name of the recipe, of an order by relevance; else "".
    """

    name: str
    bars: tuple[ErrorBar, ...]
    recipe: str = ""


@dataclass(frozen=True)
class BarGroup:
    """Rows that belong together, under a title."""

    title: str
    rows: tuple[BarRow, ...]


@dataclass(frozen=True)
class Point:
    """A point of a line, in units of the drawing."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Line:
    """Error rates of one order at rising shares.

    Attributes:
        order: Name of the order.
        number: Its place among the orders, which decides its look.
        points: The points.
    """

    order: str
    number: int
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The points as those of an SVG polyline."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.points)


@dataclass(frozen=True)
class LineChart:
    """Error rates of one network under one fill.

    Attributes:
        title: What replaces removed pixels.
        lines: A line for each order.
        shares: Shares removed and where they stand, for the axis.
        alt: The numbers in words.
    """

    title: str
    lines: tuple[Line, ...]
    shares: tuple[tuple[str, float], ...]
    alt: str


def error_bars(table: RuleTable) -> tuple[BarGroup, ...]:
    """Draw the error rates after every removal of the share q, in groups."""
    most = [_row(row.recipe, row.most, row.recipe) for row in table.rows]
    controls = [
        _row(formatting.ORDER_NAMES[name], table.controls[name])
        for name in (*CONTROL_ORDERS, RANDOM)
    ]
    untouched = dict.fromkeys(DEMO_FILLS, table.untouched)
    others = [
        _row(f"least |relevance| first, by {MAIN_RECIPE}", table.main.least),
        _row("nothing removed", untouched),
    ]
    return (
        BarGroup("Most relevant first, by rule", tuple(most)),
        BarGroup("Orders that know no network", tuple(controls)),
        BarGroup("For comparison", tuple(others)),
    )


def line_chart(network: NetworkResult, fill: str) -> LineChart:
    """Draw the error rates of a network at each share removed."""
    lines = tuple(
        _line(network, order, number, network.curves[fill][order])
        for number, order in enumerate(CURVE_ORDERS)
    )
    ends = (f"{line.order} {line.points[-1].title}" for line in lines)
    title = f"removed pixels turn {formatting.FILL_NAMES[fill]}"
    shares = tuple((f"{100 * share:g}%", _x(network, share)) for share in network.shares)
    return LineChart(title, lines, shares, f"{network.name}, {title}. {'; '.join(ends)}")


def _row(name: str, by_fill: Mapping[str, ClassificationSummary], recipe: str = "") -> BarRow:
    return BarRow(name, tuple(_bar(by_fill[fill].error_rate) for fill in DEMO_FILLS), recipe)


def _bar(rate: Proportion) -> ErrorBar:
    words, enough = f"{formatting.rate(rate)} wrong", rate.n >= formatting.FEWEST
    low = 100 * rate.interval.low if enough else None
    high = 100 * rate.interval.high if enough else None
    return ErrorBar(words, _title(rate), 100 * rate.value, low, high)


def _title(rate: Proportion) -> str:
    interval = formatting.rate_interval(rate)
    more = f", 95% interval {interval}" if interval else ""
    return f"{rate.count:,} of {rate.n:,} wrong: {formatting.rate(rate)}{more}"


def _line(
    network: NetworkResult, order: str, number: int, rates: Sequence[ClassificationSummary]
) -> Line:
    points = tuple(
        Point(
            _x(network, share),
            BOTTOM - (BOTTOM - TOP) * summary.error_rate.value,
            f"{100 * share:g}% removed: {_title(summary.error_rate)}",
        )
        for share, summary in zip(network.shares, rates, strict=True)
    )
    return Line(order, number, points)


def _x(network: NetworkResult, share: float) -> float:
    return LEFT + (RIGHT - LEFT) * share / network.shares[-1]
