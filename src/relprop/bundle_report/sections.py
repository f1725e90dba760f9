"""The parts of a report that need no model: the data, the search, and how good predictions are.

Takes what a bundle holds. Gives sections of HTML. Must not know how relevance is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..bundles.bundle import NOT_VALIDATED, metric_text, network_text, score_text
from ..bundles.content import BundleContent, LeaderboardRow, PartOutputs
from ..data.words import counted
from ..evaluate.statistics.classification import Proportion
from ..plot.charts import NumberTable, chart_fragment, draw_chart
from ..support.estimates import Estimate
from ..support.number_text import number_text
from .figures import calibration_figure, confusion_figure, training_figure, value_figure
from .measures import (
    Calibration,
    ClassMeasures,
    calibration,
    class_measures,
    confusion_matrix,
    label_measures,
    value_measures,
)

_MOST_COLUMNS = 40  # findings that are shown before the others are folded
_MOST_CLASSES = 60  # of a confusion matrix that is drawn
_ENDS = {"time": "time over", "pruned": "stopped early", "memory": "out of memory"}  # of trials


@dataclass(frozen=True)
class ReportSection:
    """A part of a page.

    Attributes:
        title: Its heading.
        hint: How it is read.
        html: Its content.
    """

    title: str
    hint: str
    html: str


def data_section(content: BundleContent) -> ReportSection:
    """Show what was found out about the data."""
    rows = [[one.what, one.value, one.reason] for one in content.findings]
    head = ("what", "value", "reason")
    tables = [NumberTable("What was found", head, rows[:_MOST_COLUMNS], texts=3)]
    if len(rows) > _MOST_COLUMNS:
        rest = rows[_MOST_COLUMNS:]
        tables.append(NumberTable(f"{len(rest)} more", head, rest, texts=3, folded=True))
    counts = ", ".join(f"{count:,} {part}" for part, count in content.counts.items())
    summary = f"{content.source}: {content.modality}; samples: {counts}."
    html = chart_fragment(summary, [], tables)
    return ReportSection("The data", "What was inferred, or given, and why.", html)


def search_section(content: BundleContent) -> ReportSection:
    """Show the trials, and how the training of the chosen model went."""
    head = (
        *("trial", "family", "ended", "other than the first of its family"),
        *(content.score_name or "score", "epochs", "seconds", "weights"),
    )
    rows = [_trial_row(row, content.leaderboard) for row in content.leaderboard]
    tables = [NumberTable("Trials, the best first", head, rows[:20], texts=4)]
    if len(rows) > 20:
        title = f"{len(rows) - 20} more trials"
        tables.append(NumberTable(title, head, rows[20:], texts=4, folded=True))
    charts, points = [], content.curves
    if points:
        last = points[-1]
        alt = (
            f"Losses and validation {content.score_name} over {last.epoch:.3g} epochs; "
            f"the last {content.score_name}: {_number(last.score)}"
        )
        charts = [draw_chart(lambda: training_figure(points, content.score_name), alt)]
    budget = "" if content.budget is None else f" of {content.budget:,.0f} s asked for"
    summary = (
        f"The model: {network_text(content)}. "
        f"{counted(len(rows), 'trial')} in {content.seconds:,.0f} s{budget}."
    )
    settings = [[name, str(value)] for name, value in content.members[0].settings.items()]
    tables.append(NumberTable("Settings", ("setting", "value"), settings, texts=2, folded=True))
    validated, counts = content.outputs.get("validation"), content.counts
    folds = validated is not None and len(validated.rows) > counts["validation"]
    part = "folds of the training and validation parts" if folds else "the validation part"
    hint = f"Scores are those of {part}, by which trials were chosen."
    if any(score_text(row) == NOT_VALIDATED for row in content.leaderboard):
        hint += f" What is {NOT_VALIDATED} was trained on everything but the test part."
    return ReportSection("The search", hint, chart_fragment(summary, charts, tables))


def _trial_row(row: LeaderboardRow, rows: Sequence[LeaderboardRow]) -> list[str]:
    """Write a trial, with the settings in which it differs from the first of its family."""
    first = min((one for one in rows if one.family == row.family), key=lambda one: one.number)
    changed = [
        f"{name} {number_text(value, 4) if isinstance(value, float) else value}"
        for name, value in row.settings.items()
        if first.settings.get(name) != value
    ]
    weights = "" if row.parameters is None else f"{row.parameters:,}"
    epochs = "" if row.epochs is None else f"{row.epochs:.3g}"
    known = "; ".join(text for text in (", ".join(changed), row.note) if text)
    return [
        str(row.number),
        row.family,
        _ENDS.get(row.state, row.state),
        known,
        score_text(row),
        epochs,
        f"{row.seconds:.1f}",
        weights,
    ]


def quality_sections(
    content: BundleContent, part: str, outputs: PartOutputs
) -> list[ReportSection]:
    """Show how good the predictions of a part of the data are.

    Args:
        content: What is known of the model.
        part: Name of the part, as it is written.
        outputs: What the model gave for it.
    """
    if content.task == "value":
        return [_value_section(content, part, outputs)]
    if content.task == "labels":
        return _label_sections(content, part, outputs)
    names, k = content.target_names, len(content.target_names)
    predicted = outputs.outputs.argmax(1)
    confusion = confusion_matrix(predicted, outputs.targets, k)
    right = predicted == outputs.targets
    charts = []
    if k <= _MOST_CLASSES:
        alt = f"Confusion matrix of {k} classes; {_confused(confusion, names)}"
        charts = [draw_chart(lambda: confusion_figure(confusion, names), alt)]
    measures = class_measures(confusion, names)
    tables = [*_metric_tables(content, part), _class_table(measures)]
    summary = f"{int(right.sum()):,} of {len(right):,} samples of the {part} part are right."
    probabilities = outputs.outputs.softmax(1).amax(1)
    return [
        ReportSection("How good it is", _HINT, chart_fragment(summary, charts, tables)),
        _calibration_section(calibration(probabilities, right), part),
    ]


_HINT = (
    "Recall is the share of a class that is predicted as such; precision the share of what is "
    "predicted as a class that belongs to it. Intervals: 95 %, of accuracy, recall and precision "
    "by Wilson's score, of other measures by the bootstrap."
)


def _label_sections(content: BundleContent, part: str, outputs: PartOutputs) -> list[ReportSection]:
    logits, labels = outputs.outputs, outputs.targets
    measures = label_measures(logits, labels, content.target_names)
    tables = [*_metric_tables(content, part), _class_table(measures)]
    same = ((logits > 0) == (labels > 0.5)).all(1)
    summary = f"All labels are right of {int(same.sum()):,} of {len(same):,} samples of the {part}"
    html = chart_fragment(f"{summary} part.", [], tables)
    flat = logits.sigmoid().flatten()
    certain = flat.where(flat > 0.5, 1 - flat)
    right = ((logits > 0) == (labels > 0.5)).flatten()
    return [
        ReportSection("How good it is", _HINT, html),
        _calibration_section(calibration(certain, right), part),
    ]


def _value_section(content: BundleContent, part: str, outputs: PartOutputs) -> ReportSection:
    true, name = outputs.targets.flatten(), content.target_names[0]
    predicted = own_units(content, outputs.outputs)
    measured = value_measures(predicted, true)
    known = _metric_tables(content, part)
    rows = [["root mean square error", number_text(measured.root_square, 4)]]
    if not known:  # which has these two
        rows.insert(0, ["mean absolute error", _estimate(measured.absolute)])
        rows.append(["R^2", _number(measured.r2)])
    tables = [*known, NumberTable(f"Predictions of {name}", ("measure", "value"), rows)]
    alt = f"Predicted over true {name}, {len(true):,} samples; R^2 {_number(measured.r2)}"
    chart = draw_chart(lambda: value_figure(predicted, true, name), alt)
    summary = f"{len(true):,} samples of the {part} part; {name} in its own units."
    hint = "On the dotted line, predictions are right. Intervals: 95 %, by the bootstrap."
    return ReportSection("How good it is", hint, chart_fragment(summary, [chart], tables))


def own_units(content: BundleContent, outputs: Tensor) -> Tensor:
    """Return what a network gave for values, (n, 1), in their own units, (n,)."""
    return content.scale.mean + content.scale.std * outputs.double().flatten()


def _calibration_section(measured: Calibration, part: str) -> ReportSection:
    rows = [
        [
            f"{one.low:.1f} to {one.high:.1f}",
            *(str(one.right.n), f"{one.confidence:.3f}", _share(one.right)),
        ]
        for one in measured.bins
    ]
    head = ("probability", "predictions", "mean probability", "share that holds")
    alt = "; ".join(f"of {one.confidence:.2f}, {one.right.value:.2f} hold" for one in measured.bins)
    chart = draw_chart(lambda: calibration_figure(measured), f"Reliability diagram: {alt}")
    summary = (
        f"Expected calibration error {measured.error:.3f}, over {measured.n:,} predictions of the "
        f"{part} part."
    )
    html = chart_fragment(summary, [chart], [NumberTable("By probability", head, rows)])
    hint = "Below the dotted line the model is too certain, above it not certain enough."
    return ReportSection("Whether its probabilities hold", hint, html)


def _metric_tables(content: BundleContent, part: str) -> list[NumberTable]:
    if part != "test" or not content.metrics:
        return []
    rows = [[one.name, metric_text(one).removeprefix(f"{one.name} ")] for one in content.metrics]
    return [NumberTable("Of the test part", ("measure", "value"), rows, texts=2)]


def _class_table(measures: Sequence[ClassMeasures]) -> NumberTable:
    areas = any(one.average_precision is not None for one in measures)
    head = ["class", "samples", "recall", "precision", "F1", *["average precision"] * areas]
    rows = [
        [one.name, f"{one.n:,}", _share(one.recall), _share(one.precision), _number(one.f1)]
        + [_number(one.average_precision)] * areas
        for one in measures
    ]
    return NumberTable("Class by class", head, rows)


def _confused(confusion: Tensor, names: Sequence[str]) -> str:
    """Name the two classes that are confused most."""
    others = confusion.clone().fill_diagonal_(0)
    place = int(others.argmax())
    count = int(others.flatten()[place])
    if not count:
        return "none is confused with another"
    true, predicted = names[place // len(names)], names[place % len(names)]
    return f"most often confused: {true} taken for {predicted}, {counted(count, 'time')}"


def _share(share: Proportion | None) -> str:
    if share is None:
        return "none"
    return f"{share.value:.3f} ({share.interval.low:.3f} to {share.interval.high:.3f})"


def _estimate(estimate: Estimate) -> str:
    end = estimate.interval
    interval = f" ({number_text(end.low, 4)} to {number_text(end.high, 4)})" if end else ""
    return f"{number_text(estimate.mean, 4)}{interval}"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"
