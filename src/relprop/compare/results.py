"""The results of a comparison: records of plain numbers, and the same as JSON.

Takes the curves of every model, fill and method. Gives areas with intervals, paired tests, and
error rates and margins at each share q of pixels removed. Must not know files.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ..evaluate import Faithfulness, PairedTest, RemovalCurve, faithfulness_by_method, paired_tests
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..support.estimates import CONFIDENCE
from .curve_tensors import Curves, from_tensors, select_columns
from .task import Task

SCHEMA = "relprop-compare/1"


@dataclass(frozen=True)
class OrderResult:
    """One order of removal.

    Attributes:
        curve: Mean score at each of the comparison's `shares`.
        summaries: Error rate and margins at each of the comparison's `q`.
    """

    curve: tuple[float, ...]
    summaries: tuple[ClassificationSummary, ...]


@dataclass(frozen=True)
class MethodResult:
    """One method, for one model and fill.

    Attributes:
        method: The method as it was written.
        faithfulness: Areas, SRG and other measures.
        against_best: Paired test of the best method's SRG minus this one's; None for the best.
        morf: Most relevant pixels removed first.
        lerf: Least relevant pixels removed first.
        tied_pixels: Mean number of pixels that share their relevance with another one.
    """

    method: str
    faithfulness: Faithfulness
    against_best: PairedTest | None
    morf: OrderResult
    lerf: OrderResult
    tied_pixels: float


@dataclass(frozen=True)
class ModelFillResult:
    """All methods, for one model and fill.

    Attributes:
        model: Name or path of the model.
        data: Data set that the model classifies.
        fill: Value of removed pixels.
        untouched: Error rate and margins on the unmodified images.
        random: Pixels removed in random order, the same for all methods.
        methods: Results by method.
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
        return next(result for result in self.methods if result.against_best is None)


@dataclass(frozen=True)
class DataSet:
    """A data set that was used.

    Attributes:
        name: Name of the data set.
        used: Number of images, the first ones.
        available: Number of images that there were to choose from.
        source: Where the images come from, as a sentence.
    """

    name: str
    used: int
    available: int
    source: str


@dataclass(frozen=True)
class Comparison:
    """The results of a whole comparison.

    Attributes:
        schema: Name and version of this format.
        settings: Everything that the numbers depend on, as plain values.
        data: The data sets, each once.
        confidence: Level of all intervals.
        shares: Share of pixels removed at each point of a curve, 0 first.
        q: Shares of pixels removed at which error rate and margins are reported.
        results: A result for each model and fill.
    """

    schema: str
    settings: Mapping[str, Any]
    data: tuple[DataSet, ...]
    confidence: float
    shares: tuple[float, ...]
    q: tuple[float, ...]
    results: tuple[ModelFillResult, ...]


def summarise(task: Task, tensors_by_model: Iterator[Mapping[str, Tensor]]) -> Comparison:
    """Compute the results of a task from the tensors of each of its models in turn."""
    shares = [count / task.pixels for count in (0, *task.removed_counts)]
    return Comparison(
        schema=SCHEMA,
        settings=task.record,
        data=tuple(_data_sets(task)),
        confidence=CONFIDENCE,
        shares=tuple(shares[column] for column in task.step_columns),
        q=task.settings.q,
        results=tuple(
            _model_fill_result(model, fill, from_tensors(fill, tensors, task), task)
            for model, tensors in zip(task.models, tensors_by_model, strict=True)
            for fill in task.settings.fills
        ),
    )


def to_json(comparison: Comparison) -> str:
    """Write the records as JSON text."""
    text = json.dumps(asdict(comparison), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def _data_sets(task: Task) -> Iterator[DataSet]:
    for family, images in {images.family: images for images in task.data.values()}.items():
        digits = images.digits
        yield DataSet(family, len(digits.labels), images.available, digits.source)


def _model_fill_result(model: str, fill: str, curves: Curves, task: Task) -> ModelFillResult:
    steps = {name: select_columns(each, task.step_columns) for name, each in curves.items()}
    gains = {name: method_curves.srg for name, method_curves in steps.items()}
    best = max(gains, key=lambda name: float(gains[name].double().mean()))
    seed, labels = task.settings.seed, task.data[model].digits.labels

    def order_result(curve: RemovalCurve) -> OrderResult:
        means = curve.scores[:, list(task.step_columns)].double().mean(0).tolist()
        summaries = (classification_summary(curve.at(q), labels) for q in task.settings.q)
        return OrderResult(tuple(means), tuple(summaries))

    random = curves[best].random
    faithfulness = faithfulness_by_method(steps, seed=seed)
    pairs = paired_tests([(gains[best], gain) for gain in gains.values()], seed=seed)
    tests = dict(zip(gains, pairs, strict=True))
    return ModelFillResult(
        model=model,
        data=task.data[model].family,
        fill=fill,
        untouched=classification_summary(random.at(0), labels),
        random=order_result(random),
        methods=tuple(
            MethodResult(
                method=name,
                faithfulness=faithfulness[name],
                against_best=None if name == best else tests[name],
                morf=order_result(curves[name].morf),
                lerf=order_result(curves[name].lerf),
                tied_pixels=float(curves[name].morf.ties.double().mean()),
            )
            for name in curves
        ),
    )
