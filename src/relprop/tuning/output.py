"""A tuned recipe as files: the recipe, all numbers, and a page.

Takes a TuneRun. Gives text and files.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..bundles.write import TUNED_FILE
from ..plot.charts import NumberTable, chart_fragment
from ..plot.pages import page
from ..support.files import make_folder, write_file
from .result import ScoresUnderFill, TunedRecipe
from .run import TuneRun

SCHEMA = "relprop-tuned-1"
PAGE, NUMBERS, RECIPE = "tuned.html", "tuned.json", "recipe.toml"


def write_tuned(run: TuneRun, out: Path) -> None:
    """Write the recipe, the numbers and the page; and the recipe into the bundle, if it is one.

    Args:
        run: What was tuned.
        out: The folder.

    Raises:
        FileError: A file cannot be written.
    """
    make_folder(out)
    toml = run.tuned.recipe.to_toml().encode()
    write_file(out / RECIPE, toml)
    write_file(out / NUMBERS, tuned_json(run).encode())
    write_file(out / PAGE, tuned_page(run).encode())
    if run.bundle is not None:
        write_file(run.bundle / TUNED_FILE, toml)


def tuned_json(run: TuneRun) -> str:
    """Write all numbers as JSON.

    Args:
        run: What was tuned.
    """
    document = {
        "schema": SCHEMA,
        "model": run.model,
        "data": [str(path) for path in run.data],
        "samples_left_out": run.left_out,
        "seed": run.seed,
        **run.tuned.to_dict(),
    }
    return json.dumps(document, indent=1) + "\n"


def tuned_page(run: TuneRun) -> str:
    """Render a page that loads nothing from elsewhere.

    Args:
        run: What was tuned.
    """
    tuned = run.tuned
    search, selection, report = tuned.parts
    summary = (
        f"{tuned.verdict} {tuned.trials:,} recipes were tried on {search:,} samples, of which "
        f"{tuned.stopped_early:,} were stopped early. The best ten and every preset were compared "
        f"on {selection:,} others, and the best of these is measured here on {report:,} more."
    )
    left = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in tuned.left_out.items())
    not_compared = f"<h2>Not compared</h2><ul>{left}</ul>" if left else ""
    body = (
        chart_fragment(summary, [], [scores_table(one) for one in tuned.scores])
        + _by_class(run)
        + _front(tuned)
        + f"<h2>The recipe</h2><pre>{escape(str(tuned.recipe))}</pre>"
        + f"<p>As a file: <code>{RECIPE}</code>. With relprop explain: "
        + f"<code>--recipe {RECIPE}</code>.</p>{not_compared}"
    )
    return page(f"The recipe of {Path(run.model).name}", body)


def scores_table(scores: ScoresUnderFill) -> NumberTable:
    """Return the table of one measure under one fill, the best method first.

    Args:
        scores: The numbers.
    """
    fill = f" under the fill {scores.fill}" if scores.fill else ""
    title = f"{scores.measure}{fill}{'' if scores.tuned_for else ', not tuned for'}"
    methods = sorted(scores.methods, key=lambda one: one.score.mean, reverse=True)
    rows: list[Sequence[str]] = [("tuned", str(scores.tuned), "", "")]
    rows += [
        (one.method, str(one.score), str(one.gain.difference), _p_value(one.gain.p_value))
        for one in methods
    ]
    head = ("method", f"{scores.measure} [95 %]", "gain of the tuned recipe [95 %]", "p")
    return NumberTable(title, head, rows)


def _p_value(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _by_class(run: TuneRun) -> str:
    if not run.tuned.by_class:
        return ""
    rows = [
        (_class_name(run, one.number), str(one.gain.difference), _p_value(one.gain.p_value))
        for one in run.tuned.by_class
    ]
    table = NumberTable("Gain by class", ("class", "gain [95 %]", "p"), rows)
    text = (
        f"The tuned recipe minus {run.tuned.reference}, the preset that was best on the selection "
        "samples, by the class that is explained. Of many classes some differ by chance."
    )
    return "<h2>By class</h2>" + chart_fragment(text, [], [table])


def _class_name(run: TuneRun, number: int) -> str:
    return run.class_names[number] if number < len(run.class_names) else str(number)


def _front(tuned: TunedRecipe) -> str:
    if not tuned.front:
        return ""
    rows = [(one.name, *(f"{score:.4f}" for score in one.scores)) for one in tuned.front]
    table = NumberTable("Front", ("recipe", *tuned.objectives), rows)
    text = "Recipes that no other one beats in all objectives, on the selection samples."
    return "<h2>Objectives against each other</h2>" + chart_fragment(text, [], [table])
