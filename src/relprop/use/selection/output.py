"""A selection as text, as JSON, and as a folder with a page.

Takes a Selection. Gives text and files. Must not know how anything was measured.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...data.options import DataOptions
from ...plot.charts import NumberTable, chart_fragment, draw_chart
from ...plot.pages import page
from ...support.estimates import Estimate
from ...support.folders import check_folder, has_schema, replace_folder
from .figures import accuracy_figure, pixels_figure
from .rankers import RELEVANCE
from .run import FOLDS, OUTER, Selection

SCHEMA = "relprop-select-1"
PAGE, NUMBERS, RANKING, KEPT, OPTIONS = (
    "selection.html",
    "selection.json",
    "ranking.csv",
    "kept.txt",
    "fit.toml",
)
_SHOWN = 40  # features on the page; the file has all


def check_folder_of_selection(out: Path) -> None:
    """Raise FileError unless a folder can take a selection: new, empty, or of an earlier one."""
    check_folder(out, lambda folder: has_schema(folder / NUMBERS, SCHEMA), "selection")


def write_selection(selection: Selection, out: Path, options: DataOptions) -> None:
    """Write the page, the ranking, what is kept, and options for `relprop fit`, to a folder.

    Args:
        selection: What was found.
        out: The folder, whose files of an earlier selection are replaced.
        options: How the data was read: `relprop fit` is to read it so, without the other columns.
    """
    files = {
        PAGE: selection_page(selection),
        NUMBERS: selection_json(selection),
        RANKING: selection.ranking.to_frame().to_csv(index=False),
        KEPT: "".join(f"{name}\n" for name in selection.kept),
    }
    if selection.noun == "column":
        files[OPTIONS] = _fit_options(selection, options)
    replace_folder(out, {name: text.encode() for name, text in files.items()})


def _fit_options(selection: Selection, options: DataOptions) -> str:
    """Write a table's options as TOML, whose texts, numbers and lists of texts are as in JSON."""
    others = [name for name in selection.ranking.names if name not in selection.kept]
    asked: dict[str, Any] = {
        "target": options.target_column,
        "labels": list(options.labels),
        "modality": options.modality,
        "test": None if options.test is None else str(options.test),
        "drop": [*options.drop, *others],
        "column": [f"{name}={kind}" for name, kind in options.kinds.items() if name not in others],
        "group": options.group,
        "time": options.time,
        "memory": None if options.memory is None else str(options.memory),
        "seed": options.seed or None,
    }
    kept = {name: value for name, value in asked.items() if value is not None and value != []}
    return "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in kept.items())


def selection_json(selection: Selection) -> str:
    """Write all numbers."""
    measured, ranking = selection.accuracy, selection.ranking
    document = {
        "schema": SCHEMA,
        "source": selection.source,
        "samples": selection.samples,
        "of_samples": selection.of,
        "seed": selection.seed,
        "k": selection.k,
        "kept": list(selection.kept),
        "score": measured.score_name,
        "all_features": float(measured.all_features.mean()),
        "accuracy": [_record(selection, name, k) for name in measured.scores for k in measured.ks],
        "classes": list(ranking.classes),
        "features": [
            {
                "name": ranking.names[i],
                "importance": float(ranking.importance[i]),
                "by_class": ranking.by_class[:, i].tolist(),
                "ranks": ranking.ranks[:, i].tolist(),
            }
            for i in ranking.order
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _record(selection: Selection, method: str, k: int) -> dict[str, Any]:
    measured = selection.accuracy
    against = {} if method == RELEVANCE else {"relevance_gain": measured.gain(k, over=method)}
    estimates = {
        "score": measured.estimate(k, method),
        "gain_over_all": measured.gain(k, method),
        **against,
    }
    return {"method": method, "k": k, **{name: asdict(one) for name, one in estimates.items()}}


def selection_text(selection: Selection) -> str:
    """Write what is kept, and the table of accuracies."""
    table = accuracy_table(selection)
    rows: list[Sequence[str]] = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    kept = ", ".join(selection.kept[:_SHOWN])
    more = selection.k - _SHOWN
    return "\n".join(
        [
            *lines,
            "",
            f"{_summary(selection)}",
            f"Kept: {kept}" + (f", {more} more" if more > 0 else ""),
        ]
    )


def _summary(selection: Selection) -> str:
    total, measured = len(selection.ranking.names), selection.accuracy
    several = len(measured.ks) > 1
    reason = ", the fewest within one standard error of the best k" if several else ""
    return (
        f"{selection.k:,} of {total:,} {selection.noun}s are kept{reason}: {measured.score_name} "
        f"{measured.estimate(selection.k)}, with all {float(measured.all_features.mean()):.4f}."
    )


def accuracy_table(selection: Selection) -> NumberTable:
    """Return the scores over k, with paired differences."""
    measured = selection.accuracy
    others = [name for name in measured.scores if name != RELEVANCE]
    head = ("k", RELEVANCE, "minus all", *(text for name in others for text in (name, "minus it")))
    rows = []
    for k in measured.ks:
        cells = [f"{k:,}", str(measured.estimate(k)), _signed(measured.gain(k))]
        for name in others:
            cells += [str(measured.estimate(k, name)), _signed(measured.gain(k, over=name))]
        rows.append(cells)
    return NumberTable(f"{measured.score_name} over k", head, rows)


def _signed(estimate: Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.mean:+.4f}"
    low, high = estimate.interval.low, estimate.interval.high
    return f"{estimate.mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def selection_page(selection: Selection) -> str:
    """Render a selection as a page that loads nothing from elsewhere."""
    measured = selection.accuracy
    means = ", ".join(f"{measured.estimate(k).mean:.3f} with {k:,}" for k in measured.ks)
    chart = draw_chart(lambda: accuracy_figure(measured), f"{measured.score_name}: {means}")
    body = chart_fragment(_summary(selection), [chart], [accuracy_table(selection)])
    pictures = []
    if selection.grid is not None:
        alt = f"Importance of {len(selection.ranking.names):,} pixels, and those that are kept"
        pictures = [draw_chart(lambda: pixels_figure(selection), alt)]
    body += f"<p>{_how(selection)}</p><h2>Importance</h2>"
    body += chart_fragment(_IMPORTANCE, pictures, _importance_tables(selection))
    return page(f"Features of {Path(selection.source).name}", body)


_IMPORTANCE = (
    "Mean |R| over samples that the network has not learned, as a share of the sum: of all, "
    f"and of those of each class. Ranks are those in {FOLDS} folds. Stable: in which share of the "
    f"{OUTER} outer training parts the feature is among the best k. Importance says what networks "
    "use, not what causes anything, and features that resemble each other share it."
)


def _how(selection: Selection) -> str:
    drawn = f"{selection.samples:,} samples" + (
        f", drawn from {selection.of:,}" if selection.samples < selection.of else ""
    )
    return (
        f"{drawn}; the test part was not touched. In {OUTER} outer folds features were ranked by "
        "the training part alone, and models of the best k trained on it and tested on the rest. "
        "Intervals: 95 %, of differences paired by sample; they do not hold what another training "
        f"would give. That of the k that is kept is somewhat too good, as it was chosen. Seed "
        f"{selection.seed}."
    )


def _importance_tables(selection: Selection) -> list[NumberTable]:
    ranking = selection.ranking
    several = len(ranking.classes) > 1
    head = (
        *(selection.noun, "importance", "ranks", "stable"),
        *(ranking.classes if several else ()),
    )
    stable = selection.accuracy.stability(selection.k)
    rows = [
        [
            ranking.names[i],
            f"{ranking.importance[i]:.4f}",
            f"{ranking.ranks[:, i].min()} to {ranking.ranks[:, i].max()}",
            f"{stable[i]:.2f}",
            *(f"{one:.4f}" for one in ranking.by_class[:, i] if several),
        ]
        for i in ranking.order[:_SHOWN]
    ]
    return [NumberTable(f"The first {len(rows)} of {len(ranking.names):,}", head, rows)]
