"""A comparison as CSV: one number per row.

Takes a Comparison. Gives text whose columns are the fields of `CsvRow`.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from ..evaluate import Estimate
from ..evaluate.statistics.classification import ClassificationSummary
from ..support.estimates import Interval
from .results import Comparison, MethodResult, ModelFillResult, OrderResult


@dataclass(frozen=True)
class CsvRow:
    """One number and what it describes; an empty field (None) does not apply.

    Attributes:
        model: Name or path of the model.
        fill: Value of removed pixels.
        method: Attribution method; None for the random order and for unmodified images.
        order: "morf", "lerf" or "random"; None for a number of several orders.
        measure: "score" for a point of a mean curve at a share removed; else the field's name in
            the records of `relprop.compare` and `relprop.evaluate`.
        share: Share of the pixels removed.
        value: The number.
        low: Lower end of its 95 % interval.
        high: Upper end of its 95 % interval.
        p_value: Of a paired test.
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
    """Write all numbers of a comparison as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(CsvRow)])
    for result in comparison.results:
        writer.writerows(astuple(row) for row in _result_rows(result, comparison))
    return text.getvalue()


def _result_rows(result: ModelFillResult, comparison: Comparison) -> Iterator[CsvRow]:
    yield from _summary_rows(result, None, None, 0.0, result.untouched)
    yield from _order_rows(result, None, "random", result.random, comparison)
    for method in result.methods:
        yield from _order_rows(result, method.method, "morf", method.morf, comparison)
        yield from _order_rows(result, method.method, "lerf", method.lerf, comparison)
        yield from _method_rows(result, method)


def _method_rows(result: ModelFillResult, method: MethodResult) -> Iterator[CsvRow]:
    faithfulness = method.faithfulness
    key = result.model, result.fill, method.method
    for order in ("morf", "lerf", "random"):
        yield CsvRow(*key, order, "area", None, *_mean_and_ends(getattr(faithfulness, order)))
    for measure in ("srg", "abpc", "aopc"):
        yield CsvRow(*key, None, measure, None, *_mean_and_ends(getattr(faithfulness, measure)))
    tests = {"against_random": faithfulness.against_random, "against_best": method.against_best}
    for measure, test in tests.items():
        if test is not None:
            numbers = *_mean_and_ends(test.difference), test.p_value
            yield CsvRow(*key, None, measure, None, *numbers)
    yield CsvRow(*key, None, "tied_pixels", None, method.tied_pixels)


def _order_rows(
    result: ModelFillResult,
    method: str | None,
    order: str,
    order_result: OrderResult,
    comparison: Comparison,
) -> Iterator[CsvRow]:
    for share, height in zip(comparison.shares, order_result.curve, strict=True):
        yield CsvRow(result.model, result.fill, method, order, "score", share, height)
    for q, summary in zip(comparison.q, order_result.summaries, strict=True):
        yield from _summary_rows(result, method, order, q, summary)


def _summary_rows(
    result: ModelFillResult,
    method: str | None,
    order: str | None,
    q: float,
    summary: ClassificationSummary,
) -> Iterator[CsvRow]:
    key = result.model, result.fill, method, order
    rate = summary.error_rate
    yield CsvRow(*key, "error_rate", q, rate.value, *_ends(rate.interval))
    for name, margins in (("correct", summary.correct), ("wrong", summary.wrong)):
        yield CsvRow(*key, f"largest_margin_{name}", q, margins.largest)
        yield CsvRow(*key, f"mean_margin_{name}", q, margins.mean, *_ends(margins.interval))


def _mean_and_ends(estimate: Estimate) -> tuple[float, float | None, float | None]:
    return estimate.mean, *_ends(estimate.interval)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)
