"""A comparison of models as text, as JSON, and as a page.

Takes a ModelComparison. Gives text and files.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from ..bundles.content import Metric
from ..data.words import counted
from ..evaluate import bootstrap_mean
from ..evaluate.removal.curve_page import curves_fragment
from ..evaluate.removal.method_curves import curve_panels
from ..plot.charts import NumberTable, chart_fragment
from ..plot.pages import page
from ..support.estimates import Estimate
from ..support.files import make_folder, write_file
from .measure import ModelMeasures
from .run import ModelComparison

SCHEMA = "relprop-compare-models-1"
PAGE, NUMBERS = "comparison.html", "comparison.json"


def write_comparison(comparison: ModelComparison, out: Path) -> None:
    """Write the page and all numbers to a folder."""
    make_folder(out)
    write_file(out / NUMBERS, comparison_json(comparison).encode())
    write_file(out / PAGE, comparison_page(comparison).encode())


def comparison_text(comparison: ModelComparison) -> str:
    """Write a comparison as tables."""
    parts = [_aligned(table) for table in _tables(comparison)]
    return "\n\n".join([*parts, *(f"warning: {one}" for one in comparison.warnings)]) + "\n"


def comparison_json(comparison: ModelComparison) -> str:
    """Write all numbers."""
    document = {
        "schema": SCHEMA,
        "source": comparison.source,
        "test": comparison.test,
        "best": comparison.best,
        "paired_tests_of": comparison.tested,
        "models": [_record(one, comparison) for one in comparison.models],
        "agreement": [asdict(one) for one in comparison.agreement],
        "warnings": list(comparison.warnings),
    }
    return json.dumps(document, indent=1) + "\n"


def _record(model: ModelMeasures, comparison: ModelComparison) -> dict[str, Any]:
    return {
        "name": model.name,
        "family": model.family,
        "metrics": [asdict(one) for one in model.metrics],
        "p_to_best": comparison.p_values.get(model.name),
        "parameters": model.parameters,
        "bytes": model.size,
        "training_seconds": model.training,
        "microseconds_a_sample": model.microseconds,
        "srg": asdict(bootstrap_mean(model.curves.srg.double())),
        "morf": model.curves.morf.scores.double().mean(0).tolist(),
        "lerf": model.curves.lerf.scores.double().mean(0).tolist(),
        "random": model.curves.random.scores.double().mean(0).tolist(),
        "sparseness": None if model.sparseness is None else asdict(model.sparseness),
    }


def comparison_page(comparison: ModelComparison) -> str:
    """Render a comparison as a page that loads nothing from elsewhere."""
    models, *agreement = _tables(comparison)
    count = counted(comparison.test, "test sample")
    models_of = f"{counted(len(comparison.models), 'model')} of {comparison.source}"
    summary = f"{models_of}, on the same {count}."
    warnings = "".join(f"<p><b>{escape(one)}</b></p>" for one in comparison.warnings)
    columns = _COLUMNS.format(tested=comparison.tested)
    curves = curves_fragment(curve_panels({one.name: one.curves for one in comparison.models}))
    alike = "<h2>Whether they look at the same</h2>" + chart_fragment(_ALIKE, [], agreement)
    body = (
        f"{warnings}{chart_fragment(f'{summary} {columns}', [], [models])}"
        f"<h2>Whether relevance is faithful</h2>{curves}"
        f"{alike if agreement else ''}"
    )
    return page(f"Models of {Path(comparison.source).name}", body)


_COLUMNS = (
    "p to best: how likely a difference as large as that to the best model is where both are "
    "equally good, by a paired test of {tested}; below 0.05 it is taken for real. SRG: symmetric "
    "relevance gain, the area between the removal curves below, least relevant first minus most "
    "relevant first; 0 where relevance tells nothing, larger where it is more faithful; short "
    "texts take no part. Sparseness: Gini index of |relevance|, 0 where it is the same everywhere, "
    "towards 1 where few inputs have all."
)
_ALIKE = (
    "Relevance for the true class of the same samples: Spearman's rank correlation and the cosine, "
    "1 where two maps are alike, 0 where they have nothing in common."
)


def _tables(comparison: ModelComparison) -> list[NumberTable]:
    score = comparison.models[0].metrics[0].name
    head = (
        *("model", "network", score, "p to best", "weights", "MB", "fit (s)", "µs a sample"),
        *("SRG", "sparseness"),
    )
    rows = [_row(model, comparison) for model in comparison.models]
    tables = [NumberTable("Models", head, rows, texts=2)]
    if comparison.agreement:
        pairs = [
            [f"{one.first} and {one.second}", _plain(one.spearman), _plain(one.cosine)]
            for one in comparison.agreement
        ]
        tables.append(NumberTable("Agreement of relevance", ("pair", "Spearman", "cosine"), pairs))
    return tables


def _row(model: ModelMeasures, comparison: ModelComparison) -> list[str]:
    score = model.metrics[0]
    p = comparison.p_values.get(model.name)
    return [
        *(model.name, model.family, _score_text(score)),
        "best" if p is None else f"{p:.3f}",
        *(f"{model.parameters:,}", f"{model.size / 1e6:.2f}", f"{model.training:.0f}"),
        *(f"{model.microseconds:.0f}", _estimate(bootstrap_mean(model.curves.srg.double()))),
        _estimate(model.sparseness),
    ]


def _score_text(score: Metric) -> str:
    if score.value is None:
        return "not defined"
    interval = "" if score.low is None else f" ({score.low:.4f} to {score.high:.4f})"
    return f"{score.value:.4f}{interval}"


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "no relevance"
    end = estimate.interval
    return f"{estimate.mean:.3f}" + (f" ({end.low:.3f} to {end.high:.3f})" if end else "")


def _plain(value: float | None) -> str:
    return "not comparable" if value is None else f"{value:.3f}"


def _aligned(table: NumberTable) -> str:
    rows: list[Sequence[str]] = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < table.texts else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
