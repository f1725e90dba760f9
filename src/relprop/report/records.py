"""What a report is made of: frozen records of plain values, and their JSON and CSV.

Takes explanations. Must not know models or pages.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ..bundles.naming import labels_text
from ..evaluate import MethodCurves
from ..explanation.drawing import explained_text, shown_output
from ..explanation.importance import IMPORTANCE_COLUMNS, OverallImportance
from ..explanation.result import Explanation
from ..plot.tables import ColumnNames
from ..plot.view import SampleView, ViewKind
from .batches import Batch, LeftOut, first_tensor
from .classes import name_of
from .settings import Settings

SCHEMA = "relprop-report-1"


@dataclass(frozen=True)
class ExplainedSample:
    """One explained sample.

    Attributes:
        name: Its file, row or line.
        label: Its label, as the data writes it; None where there is none.
        has_class: Whether the label is a class of the model.
        predicted: Name of the predicted class, or names of the predicted labels; None for a model
            without classes.
        probability: Probability of the predicted class, of labels that of the most probable one;
            None where there is none.
        value: The predicted value of a regression; None of all else.
        margin: (max - second max) / max of the probabilities; None where there are none.
        explained: What was explained.
        amplification: Sum of |relevance| by |score|.
        view: Input and relevance, for pictures and bars.
        tokens: Strings of the tokens of a text, and which are no part of it.
        values: Of a table's row, name of a feature -> its value in the file.
    """

    name: str
    label: str | None
    has_class: bool
    predicted: str | None
    probability: float | None
    value: float | None
    margin: float | None
    explained: str
    amplification: float
    view: SampleView
    tokens: Sequence[tuple[str, bool]]
    values: Mapping[str, str]

    @property
    def is_wrong(self) -> bool | None:
        """Whether the prediction differs from the label; None without either, or such a class."""
        if not self.has_class or self.predicted is None:
            return None
        return self.label != self.predicted


@dataclass(frozen=True)
class Report:
    """Everything that a report shows.

    Attributes:
        settings: What was asked for.
        model: What the model is: its class, or families of networks, and what was added to it.
        value_name: What the predicted value is called; "" where it has no name.
        runs_code: The file of the user's that was run; "" for none.
        preprocessing: What was done to the samples, in words.
        recipe: Name of the recipe, and the plan as text.
        kind: What the samples are.
        columns: What the entries of a table's row, or channels of series, are called.
        class_names: Names of the classes; empty where they have none.
        class_source: Where the names are from, in words.
        samples: The explained ones.
        left_out: Those that could not be read.
        available: How many samples the data has.
        ledger: The conservation check of the first batch, as text, and its largest imbalance.
        importance: Overall importance of a table's features; None for all else.
        curves: Fill -> name of a method -> its removal curves.
        stopped: Whether it was stopped before all was done.
        warnings: What the explainer warned of.
        versions: Package -> version.
        seconds: How long explaining took.
    """

    settings: Settings
    model: str
    value_name: str
    runs_code: str
    preprocessing: str
    recipe: str
    plan: str
    kind: ViewKind
    columns: ColumnNames
    class_names: Sequence[str]
    class_source: str
    samples: Sequence[ExplainedSample]
    left_out: Sequence[LeftOut]
    available: int
    ledger: str
    imbalance: float
    importance: OverallImportance | None
    curves: Mapping[str, Mapping[str, MethodCurves]]
    stopped: bool
    warnings: Sequence[str]
    versions: Mapping[str, str]
    seconds: float

    @property
    def explained(self) -> str:
        """What was explained, where it is the same of all samples; else as it was asked for."""
        words = {sample.explained for sample in self.samples}
        return words.pop() if len(words) == 1 else self.settings.explain

    @property
    def labelled(self) -> int:
        """How many samples have a label and a prediction."""
        return sum(sample.is_wrong is not None for sample in self.samples)

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled samples that are predicted correctly; None without labels."""
        right = sum(sample.is_wrong is False for sample in self.samples)
        return right / self.labelled if self.labelled else None


def describe_samples(
    e: Explanation,
    batch: Batch,
    names: Sequence[str],
    several: bool = False,
    *,
    value_name: str = "",
) -> list[ExplainedSample]:
    """Describe the samples of an explained batch.

    Args:
        e: The explanation.
        batch: What was explained.
        names: Names of the classes.
        several: Whether they are labels that do not exclude each other.
        value_name: What the predicted value of a regression is called; "" of all else.
    """
    called = [value_name] if value_name else names
    output, relevance = shown_output(e).detach().cpu(), e.relevance.detach().cpu()
    if not e.input.is_floating_point() or batch.texts:  # of embedded tokens the sum over each
        relevance = relevance.flatten(2).sum(-1) if relevance.ndim > 2 else relevance
    x = (first_tensor(batch.inputs) if batch.shown is None else batch.shown).detach().cpu()
    prediction, margin = e.prediction, e.margin
    amplification = e.amplification.reshape(len(output), -1).amax(1).tolist()
    records = []
    for i, name in enumerate(batch.names):
        label = batch.labels[i] if several else name_of(batch.labels[i], names)
        k = None if prediction is None else int(prediction[i])
        words = explained_text(e, 0, None if e.target is None else e.target[i], called)
        is_probability = e.probabilities is not None
        shown = output[i].flatten() if output.ndim <= 2 else output.new_empty(0)
        view = SampleView(i, x[i], relevance[i], words, shown, is_probability)
        records.append(
            ExplainedSample(
                name=name,
                label=label,
                has_class=label is not None if several else label in names,
                predicted=labels_text((shown > 0.5).tolist(), names)
                if several
                else _entry(names, k),
                probability=None if k is None or not is_probability else float(shown[k]),
                value=float(shown[0]) if k is None and len(shown) == 1 else None,
                margin=None if margin is None or several else float(margin[i]),
                explained=words,
                amplification=amplification[i],
                view=view,
                tokens=batch.texts[i] if batch.texts else (),
                values=batch.values[i] if batch.values else {},
            )
        )
    return records


def _entry(names: Sequence[str], k: int | None) -> str | None:
    return None if k is None else names[k]


def to_json(report: Report) -> str:
    """Write the numbers of a report, without images and maps."""
    document = {
        "schema": SCHEMA,
        "model": report.settings.model,
        "recipe": report.recipe,
        "preprocessing": report.preprocessing,
        "samples_available": report.available,
        "samples_explained": len(report.samples),
        "left_out": [{"name": one.name, "reason": one.reason} for one in report.left_out],
        "stopped": report.stopped,
        "accuracy": report.accuracy,
        "largest_imbalance": report.imbalance,
        "curves": {
            fill: {name: _curve(curves) for name, curves in by_method.items()}
            for fill, by_method in report.curves.items()
        },
        "importance": _importance(report.importance),
        "warnings": list(report.warnings),
        "versions": dict(report.versions),
        "samples": [_row(sample) for sample in report.samples],
    }
    return json.dumps(document, indent=1) + "\n"


def samples_csv(report: Report) -> str:
    """Write a row for each explained sample."""
    rows = [_row(sample) for sample in report.samples]
    buffer = StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["name"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _row(sample: ExplainedSample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "label": sample.label,
        "predicted": sample.predicted,
        "probability": sample.probability,
        "value": sample.value,
        "margin": sample.margin,
        "explained": sample.explained,
        "relevance_sum": float(sample.view.relevance.sum()),
        "amplification": sample.amplification,
    }


def _importance(importance: OverallImportance | None) -> list[dict[str, Any]]:
    rows = [] if importance is None else importance.rows()
    return [dict(zip(IMPORTANCE_COLUMNS, row, strict=True)) for row in rows]


def _curve(curves: MethodCurves) -> dict[str, Any]:
    morf = curves.morf
    return {
        "removed": morf.shares.double().mean(0).tolist(),
        "most_relevant_first": morf.scores.double().mean(0).tolist(),
        "least_relevant_first": curves.lerf.scores.double().mean(0).tolist(),
        "random": curves.random.scores.double().mean(0).tolist(),
        "srg": float(curves.srg.double().mean()),
        "n": len(morf.scores),
    }
