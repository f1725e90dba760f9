"""The tables of a comparison that a terminal shows.

Takes a Comparison. Gives text.
"""

from textwrap import wrap

from ..demo.formatting import EMPTY_GROUP
from ..evaluate import PairedTest
from ..evaluate.statistics.classification import ClassificationSummary, MarginStatistics
from .results import Comparison, MethodResult, ModelFillResult

_WIDTH = 80


def tables(comparison: Comparison) -> str:
    """Write two tables for each model and fill: areas, and error rates and margins at each q."""
    data = (f"{data.used:,} of {data.available:,}: {data.source}." for data in comparison.data)
    lines = wrap(f"{' '.join(data)} Intervals are at {comparison.confidence:.0%}.", _WIDTH)
    for result in comparison.results:
        lines += ["", *_areas(result, comparison.settings["score"])]
        for index, q in enumerate(comparison.q):
            lines += ["", *_error_rates(result, index, q)]
    return "\n".join(lines)


def _areas(result: ModelFillResult, score: str) -> list[str]:
    """Tabulate areas under the curves, the largest SRG first."""
    width = _name_width(result)
    ranked = sorted(result.methods, key=lambda method: -method.faithfulness.srg.mean)
    random = ranked[0].faithfulness.random
    columns = f"{'MoRF':>7}{'LeRF':>8}{'tied':>6}  best minus this"
    return [
        f"{result.model}, fill {result.fill}: areas under the {score} curves with most and least",
        "relevant pixels removed first, tied pixels, and a paired test against the best",
        f"{'':{width}}  {'SRG = LeRF - MoRF':<26}{columns}",
        *(_area_line(method, width) for method in ranked),
        f"{'random':{width}}  {'':26}{random.mean:7.4f}{random.mean:8.4f}",
    ]


def _area_line(method: MethodResult, width: int) -> str:
    faithfulness = method.faithfulness
    areas = f"{faithfulness.morf.mean:7.4f}{faithfulness.lerf.mean:8.4f}{method.tied_pixels:6.0f}"
    test = _test(method.against_best)
    return f"{method.method:{width}}  {faithfulness.srg!s:<26}{areas}  {test}"


def _error_rates(result: ModelFillResult, index: int, q: float) -> list[str]:
    """Tabulate error rates and largest margins after the share q of pixels is removed."""
    width = _name_width(result)
    lines = []
    for method in result.methods:
        line = _error_line(method.method, method.morf.summaries[index], width)
        lines.append(f"{line}{method.lerf.summaries[index].error_rate.value:10.1%}")
    columns = f"{'MoRF error rate':<22}{'margin if correct':>18}{'if wrong':>11}{'LeRF':>10}"
    return [
        f"{result.model}, fill {result.fill}: error rate and largest margins after the most",
        f"relevant {100 * q:.3g}% of pixels are removed, and error rate after the least relevant",
        f"{'':{width}}  {columns}",
        *lines,
        _error_line("random", result.random.summaries[index], width),
        _error_line("nothing removed", result.untouched, width),
    ]


def _error_line(name: str, summary: ClassificationSummary, width: int) -> str:
    rate = summary.error_rate
    ends = f"[{rate.interval.low:.1%}, {rate.interval.high:.1%}]"
    margins = f"{_largest(summary.correct):>18}{_largest(summary.wrong):>11}"
    return f"{name:{width}}  {rate.value:>6.1%} {ends:<15}{margins}"


def _largest(margins: MarginStatistics) -> str:
    return EMPTY_GROUP if margins.largest is None else f"{margins.largest:.5f}"


def _test(test: PairedTest | None) -> str:
    return "best" if test is None else f"{test.difference.mean:.4f}, p = {test.p_value:.4f}"


def _name_width(result: ModelFillResult) -> int:
    return max(len("nothing removed"), *(len(method.method) for method in result.methods))
