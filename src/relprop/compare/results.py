"""What a comparison says: records of plain numbers, as JSON and as CSV.

Takes the curves of every model, fill and method. Gives estimates with intervals, tests, and cells
as in the seed's table. The JSON is these records as they are; the CSV has one number a line.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ..evaluate import (
    Estimate,
    Faithfulness,
    Paired,
    RemovalCurve,
    faithfulness_each,
    paired_each,
)
from ..evaluate.estimates import CONFIDENCE, Interval
from ..summary import Cell, cell
from .keeping import Curves, as_curves, thinned
from .settings import Task

SCHEMA = "relprop-compare/1"
COLUMNS = (
    *("model", "fill", "method", "order", "measure", "share"),
    *("value", "low", "high", "p_value"),
)


@dataclass(frozen=True)
class OrderResult:
    """One order of removal: the mean score in each column, and the readings at each q."""

    curve: tuple[float, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class MethodResult:
    """One method by one model and fill.

    against_best  SRG of the case's best method minus this one's; None for the best itself
    tied          pixels of a digit whose relevance another one has, too, in the mean
    """

    method: str
    faithfulness: Faithfulness
    against_best: Paired | None
    morf: OrderResult
    lerf: OrderResult
    tied: float


@dataclass(frozen=True)
class Case:
    """All methods by one model and fill; the random order is the same for all."""

    model: str
    fill: str
    untouched: Cell
    random: OrderResult
    methods: tuple[MethodResult, ...]

    @property
    def best(self) -> MethodResult:
        """The method with the largest SRG."""
        return next(one for one in self.methods if one.against_best is None)


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    settings  all that the numbers depend on, as plain values
    shares    of the pixels that are gone in each column of a curve, 0 first
    q         the shares at which there are cells
    """

    schema: str
    settings: Mapping[str, Any]
    source: str
    available: int
    confidence: float
    shares: tuple[float, ...]
    q: tuple[float, ...]
    cases: tuple[Case, ...]


def summarise(task: Task, models: Iterator[Mapping[str, Tensor]]) -> Comparison:
    """The numbers of a task.

    models  the tensors of each model in turn
    """
    shares = [count / task.pixels for count in (0, *task.removed)]
    return Comparison(
        schema=SCHEMA,
        settings=task.record,
        source=task.digits.source,
        available=task.available,
        confidence=CONFIDENCE,
        shares=tuple(shares[column] for column in task.on_curve),
        q=task.settings.q,
        cases=tuple(
            _case(name, fill, as_curves(fill, tensors, task), task)
            for name, tensors in zip(task.models, models, strict=True)
            for fill in task.settings.fills
        ),
    )


def to_json(comparison: Comparison) -> str:
    """The records as JSON text."""
    text = json.dumps(asdict(comparison), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def to_csv(comparison: Comparison) -> str:
    """A line for each number, with an interval and a p-value where it has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case in comparison.cases:
        for row in _rows(case, comparison):
            writer.writerow((case.model, case.fill, *row))
    return text.getvalue()


def _case(model: str, fill: str, curves: Curves, task: Task) -> Case:
    steps = {name: thinned(three, task.on_curve) for name, three in curves.items()}
    gains = {name: three.srg for name, three in steps.items()}
    best = max(gains, key=lambda name: float(gains[name].double().mean()))
    seed, labels = task.settings.seed, task.digits.labels

    def order(curve: RemovalCurve) -> OrderResult:
        means = curve.scores[:, list(task.on_curve)].double().mean(0).tolist()
        return OrderResult(tuple(means), tuple(cell(curve.at(q), labels) for q in task.settings.q))

    random = curves[best].random
    faithful = faithfulness_each(steps, seed=seed)
    pairs = paired_each([(gains[best], gain) for gain in gains.values()], seed=seed)
    tests = dict(zip(gains, pairs, strict=True))
    return Case(
        model=model,
        fill=fill,
        untouched=cell(random.at(0), labels),
        random=order(random),
        methods=tuple(
            MethodResult(
                method=name,
                faithfulness=faithful[name],
                against_best=None if name == best else tests[name],
                morf=order(curves[name].morf),
                lerf=order(curves[name].lerf),
                tied=float(curves[name].morf.ties.double().mean()),
            )
            for name in curves
        ),
    )


def _rows(case: Case, comparison: Comparison) -> Iterator[tuple[Any, ...]]:
    """Method, order, measure, share, value, low, high, p-value."""
    yield from _cell_rows("", "", 0.0, case.untouched)
    yield from _order_rows("", "random", case.random, comparison)
    for one in case.methods:
        yield from _order_rows(one.method, "morf", one.morf, comparison)
        yield from _order_rows(one.method, "lerf", one.lerf, comparison)
        for name, value in vars(one.faithfulness).items():
            if isinstance(value, Estimate):
                area = name in ("morf", "lerf", "random")
                yield (one.method, *((name, "area") if area else ("", name)), "", *_three(value))
        tests = {"srg_of_best_minus_this": one.against_best}
        tests["area_random_minus_morf"] = one.faithfulness.against_random
        for name, test in tests.items():
            if test is not None:
                yield one.method, "", name, "", *_three(test.difference), test.p_value
        yield one.method, "", "tied", "", one.tied


def _order_rows(
    method: str, order: str, result: OrderResult, comparison: Comparison
) -> Iterator[tuple[Any, ...]]:
    for share, height in zip(comparison.shares, result.curve, strict=True):
        yield method, order, "score", share, height
    for q, one in zip(comparison.q, result.cells, strict=True):
        yield from _cell_rows(method, order, q, one)


def _cell_rows(method: str, order: str, q: float, one: Cell) -> Iterator[tuple[Any, ...]]:
    yield method, order, "misread", q, one.misread.share, *_ends(one.misread.interval)
    for name, group in (("correct", one.correct), ("incorrect", one.wrong)):
        yield method, order, f"strongest_{name}", q, group.strongest
        yield method, order, f"mean_{name}", q, group.mean, *_ends(group.interval)


def _three(value: Estimate) -> tuple[float | None, ...]:
    return value.mean, *_ends(value.interval)


def _ends(interval: Interval | None) -> tuple[float | None, ...]:
    return (None, None) if interval is None else (interval.low, interval.high)
