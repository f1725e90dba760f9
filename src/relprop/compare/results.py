"""What a comparison says: records of plain numbers, and as they are as JSON.

Takes the curves of every model, fill and method. Gives estimates with intervals, tests, and cells:
what is read correctly and incorrectly once the share q is gone, and how strongly.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ..evaluate import Faithfulness, PairedTest, RemovalCurve, faithfulness_each, paired_tests
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..evaluate.statistics.estimates import CONFIDENCE
from .keeping import Curves, as_curves, thinned
from .settings import Task

SCHEMA = "relprop-compare/1"


@dataclass(frozen=True)
class OrderResult:
    """One order of removal: the mean score in each column, and the readings at each q."""

    curve: tuple[float, ...]
    cells: tuple[ClassificationSummary, ...]


@dataclass(frozen=True)
class MethodResult:
    """One method by one model and fill.

    against_best  SRG of the case's best method minus this one's; None for the best itself
    tied          pixels of a digit whose relevance another one has, too, in the mean
    """

    method: str
    faithfulness: Faithfulness
    against_best: PairedTest | None
    morf: OrderResult
    lerf: OrderResult
    tied: float


@dataclass(frozen=True)
class Case:
    """All methods by one model and fill; the random order is the same for all.

    data  the data set that the model is asked
    """

    model: str
    data: str
    fill: str
    untouched: ClassificationSummary
    random: OrderResult
    methods: tuple[MethodResult, ...]

    @property
    def best(self) -> MethodResult:
        """The method with the largest SRG."""
        return next(one for one in self.methods if one.against_best is None)


@dataclass(frozen=True)
class DataSet:
    """The first `used` of so many images, and a sentence on where they are from."""

    name: str
    used: int
    available: int
    source: str


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    settings  all that the numbers depend on, as plain values
    data      what was asked: each data set once
    shares    of the pixels that are gone in each column of a curve, 0 first
    q         the shares at which there are cells
    """

    schema: str
    settings: Mapping[str, Any]
    data: tuple[DataSet, ...]
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
        data=tuple(_data_sets(task)),
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


def _data_sets(task: Task) -> Iterator[DataSet]:
    for family, one in {one.family: one for one in task.digits.values()}.items():
        yield DataSet(family, len(one.digits.labels), one.available, one.digits.source)


def _case(model: str, fill: str, curves: Curves, task: Task) -> Case:
    steps = {name: thinned(three, task.on_curve) for name, three in curves.items()}
    gains = {name: three.srg for name, three in steps.items()}
    best = max(gains, key=lambda name: float(gains[name].double().mean()))
    seed, labels = task.settings.seed, task.digits[model].digits.labels

    def order(curve: RemovalCurve) -> OrderResult:
        means = curve.scores[:, list(task.on_curve)].double().mean(0).tolist()
        return OrderResult(
            tuple(means),
            tuple(classification_summary(curve.at(q), labels) for q in task.settings.q),
        )

    random = curves[best].random
    faithful = faithfulness_each(steps, seed=seed)
    pairs = paired_tests([(gains[best], gain) for gain in gains.values()], seed=seed)
    tests = dict(zip(gains, pairs, strict=True))
    return Case(
        model=model,
        data=task.digits[model].family,
        fill=fill,
        untouched=classification_summary(random.at(0), labels),
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
