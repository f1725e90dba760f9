"""A comparison as CSV: a line for each number.

Takes a Comparison. Gives text whose columns are the fields of `Line`.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from ..evaluate import Estimate
from ..evaluate.statistics.classification import ClassificationSummary
from ..evaluate.statistics.estimates import Interval
from .results import Case, Comparison, MethodResult, OrderResult


@dataclass(frozen=True)
class Line:
    """One number; None where it has no such thing, which is an empty field.

    method   None: of the random order, or of untouched digits
    order    "morf", "lerf", "random"; None: of several
    measure  "score" is a point of a mean curve, at a share removed; the rest as in the records
    """

    model: str
    fill: str
    method: str | None
    order: str | None
    measure: str
    share: float | None
    value: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


def to_csv(comparison: Comparison) -> str:
    """All numbers of a comparison."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Line)])
    for case in comparison.cases:
        writer.writerows(astuple(line) for line in _case(case, comparison))
    return text.getvalue()


def _case(case: Case, comparison: Comparison) -> Iterator[Line]:
    yield from _cell(case, None, None, 0.0, case.untouched)
    yield from _order(case, None, "random", case.random, comparison)
    for one in case.methods:
        yield from _order(case, one.method, "morf", one.morf, comparison)
        yield from _order(case, one.method, "lerf", one.lerf, comparison)
        yield from _method(case, one)


def _method(case: Case, one: MethodResult) -> Iterator[Line]:
    numbers = one.faithfulness
    start = case.model, case.fill, one.method
    for order in ("morf", "lerf", "random"):
        yield Line(*start, order, "area", None, *_ends(getattr(numbers, order)))
    for measure in ("srg", "abpc", "aopc"):
        yield Line(*start, None, measure, None, *_ends(getattr(numbers, measure)))
    tests = {"against_random": numbers.against_random, "against_best": one.against_best}
    for measure, test in tests.items():
        if test is not None:
            yield Line(*start, None, measure, None, *_ends(test.difference), test.p_value)
    yield Line(*start, None, "tied", None, one.tied)


def _order(
    case: Case, method: str | None, order: str, result: OrderResult, comparison: Comparison
) -> Iterator[Line]:
    for share, height in zip(comparison.shares, result.curve, strict=True):
        yield Line(case.model, case.fill, method, order, "score", share, height)
    for q, cell in zip(comparison.q, result.cells, strict=True):
        yield from _cell(case, method, order, q, cell)


def _cell(
    case: Case, method: str | None, order: str | None, q: float, cell: ClassificationSummary
) -> Iterator[Line]:
    start = case.model, case.fill, method, order
    error_rate = cell.error_rate
    yield Line(
        *start, "error_rate", q, error_rate.value, error_rate.interval.low, error_rate.interval.high
    )
    for name, group in (("correct", cell.correct), ("incorrect", cell.wrong)):
        yield Line(*start, f"strongest_{name}", q, group.largest)
        yield Line(*start, f"mean_{name}", q, group.mean, *_interval(group.interval))


def _ends(value: Estimate) -> tuple[float, float | None, float | None]:
    return value.mean, *_interval(value.interval)


def _interval(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
