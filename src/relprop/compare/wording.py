"""The tables that a terminal shows: a comparison in words and numbers.

Takes a Comparison. Gives text.
"""

from textwrap import wrap

from ..evaluate import PairedTest
from ..evaluate.statistics.classification import ClassificationSummary, MarginStatistics
from .results import Case, Comparison, MethodResult

WIDTH = 80
NOTHING = "\N{EN DASH}"  # of an empty group


def tables(comparison: Comparison) -> str:
    """Two tables for each model and fill: areas, and what is read at each q."""
    heads = [f"{one.used:,} of {one.available:,}: {one.source}." for one in comparison.data]
    lines = wrap(f"{' '.join(heads)} Intervals are at {comparison.confidence:.0%}.", WIDTH)
    for case in comparison.cases:
        lines += ["", *_areas(case, comparison.settings["score"])]
        for number, q in enumerate(comparison.q):
            lines += ["", *_readings(case, number, q)]
    return "\n".join(lines)


def _areas(case: Case, score: str) -> list[str]:
    """Areas under the curves, the largest gain first."""
    room = _room(case)
    ranked = sorted(case.methods, key=lambda one: -one.faithfulness.srg.mean)
    random = ranked[0].faithfulness.random
    heads = f"{'most':>7}{'least':>8}{'tied':>6}  best minus this"
    return [
        f"{case.model}, fill {case.fill}: areas under {score}, most and least relevant first,",
        "pixels of a digit that are tied, and a paired test against the best",
        f"{'':{room}}  {'SRG = least - most':<26}{heads}",
        *(_area_line(one, room) for one in ranked),
        f"{'random':{room}}  {'':26}{random.mean:7.4f}{random.mean:8.4f}",
    ]


def _area_line(one: MethodResult, room: int) -> str:
    found = one.faithfulness
    areas = f"{found.morf.mean:7.4f}{found.lerf.mean:8.4f}{one.tied:6.0f}"
    return f"{one.method:{room}}  {found.srg!s:<26}{areas}  {_test(one.against_best)}"


def _readings(case: Case, number: int, q: float) -> list[str]:
    """The seed's table: what is read once the share q is gone, and how strongly."""
    room = _room(case)
    rows = [_reading_line(one.method, one.morf.cells[number], room) for one in case.methods]
    least = [f"{one.lerf.cells[number].error_rate.value:10.1%}" for one in case.methods]
    return [
        f"{case.model}, fill {case.fill}: {100 * q:.3g}% of pixels removed, and margins",
        f"{'':{room}}  {'misread':<22}{'strongest correct':>18}{'incorrect':>11}{'least':>10}",
        *(row + last for row, last in zip(rows, least, strict=True)),
        _reading_line("random", case.random.cells[number], room),
        _reading_line("nothing removed", case.untouched, room),
    ]


def _reading_line(name: str, cell: ClassificationSummary, room: int) -> str:
    ends = f"[{cell.error_rate.interval.low:.1%}, {cell.error_rate.interval.high:.1%}]"
    strongest = f"{_margin(cell.correct):>18}{_margin(cell.wrong):>11}"
    return f"{name:{room}}  {cell.error_rate.value:>6.1%} {ends:<15}{strongest}"


def _margin(group: MarginStatistics) -> str:
    return NOTHING if group.largest is None else f"{group.largest:.5f}"


def _test(test: PairedTest | None) -> str:
    return "best" if test is None else f"{test.difference.mean:.4f}, p = {test.p_value:.4f}"


def _room(case: Case) -> int:
    return max(len("nothing removed"), *(len(one.method) for one in case.methods))
