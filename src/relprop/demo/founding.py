"""The founding rule table: strongest correct and incorrect classification by rule, beside a poster.

Takes a rule table. Gives frozen records of what a page of its own shows. Must not know HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..evaluate.statistics.classification import ClassificationSummary, MarginStatistics
from . import formatting
from .poster import POSTER, POSTER_NAMES
from .removal import CONTROL_ORDERS, DEMO_FILLS, RANDOM
from .rule_table import RuleTable


@dataclass(frozen=True)
class MarginCell:
    """A number of a column, or one remark in place of several.

    Attributes:
        text: What it says.
        note: Below it, in small; may be empty.
        rows: How many rows it stands for.
    """

    text: str
    note: str = ""
    rows: int = 1


Column = tuple[MarginCell | None, ...]  # None where the cell above stands for the row, too


@dataclass(frozen=True)
class Section:
    """Error rates and margins after removal in some orders under one fill.

    Attributes:
        title: What was removed, and what replaced it.
        rows: Error rate and margins, by what was removed.
        columns: Means and strongest margins of correct, then of wrong classifications.
    """

    title: str
    rows: Mapping[str, ClassificationSummary]
    columns: tuple[Column, Column, Column, Column]


@dataclass(frozen=True)
class PosterRow:
    """A rule of the poster.

    Attributes:
        name: The rule, as the poster calls it.
        recipe: Its recipe here.
        printed: Margins of the strongest correct and of the strongest incorrect classification.
        here: The same of this run.
    """

    name: str
    recipe: str
    printed: tuple[float, float]
    here: tuple[MarginCell | None, MarginCell | None]


def sections(table: RuleTable) -> tuple[Section, ...]:
    """Tabulate every order under every fill."""
    share, found = f"{100 * table.q:g}%", []
    for fill in DEMO_FILLS:
        replaced = f"of pixels set to {formatting.FILL_NAMES[fill]} (fill {fill})"
        most = {row.recipe: row.most[fill] for row in table.rows}
        for name in (*CONTROL_ORDERS, RANDOM):
            most[formatting.ORDER_NAMES[name]] = table.controls[name][fill]
        most["nothing removed"] = table.untouched
        least = {row.recipe: row.least[fill] for row in table.rows}
        found += [
            _section(f"The most relevant {share} {replaced}", most),
            _section(f"The {share} of least |relevance| {replaced}", least),
        ]
    return tuple(found)


def poster_rows(table: RuleTable) -> tuple[PosterRow, ...]:
    """Put the poster's figures beside those of this run under the first fill."""
    rows = [row for row in table.rows if row.recipe in POSTER]
    summaries = [row.most[DEMO_FILLS[0]] for row in rows]
    correct = strongest_column([summary.correct for summary in summaries])
    wrong = strongest_column([summary.wrong for summary in summaries])
    return tuple(
        PosterRow(POSTER_NAMES[row.recipe], row.recipe, POSTER[row.recipe], here)
        for row, here in zip(rows, zip(correct, wrong, strict=True), strict=True)
    )


def strongest_column(groups: Sequence[MarginStatistics]) -> Column:
    """Write the largest margin of each group; those next to 1 in one cell."""
    cells = [MarginCell(formatting.margin(group.largest, 4)) for group in groups]
    return _joined(cells, [group.largest for group in groups])


def mean_column(groups: Sequence[MarginStatistics]) -> Column:
    """Write the mean margin of each group, with n and interval; those next to 1 in one cell."""
    cells = []
    for group in groups:
        interval = formatting.margin_interval(group)
        note = f"n = {group.n:,}" + (f"; {interval}" if interval else "")
        cells.append(MarginCell(formatting.margin(group.mean), note))
    return _joined(cells, [group.mean for group in groups])


def _joined(cells: Sequence[MarginCell], values: Sequence[float | None]) -> Column:
    """Put one remark in place of neighbours that are all next to 1, which tells nothing apart."""
    column: list[MarginCell | None] = []
    for sure, run in groupby(range(len(cells)), key=lambda i: (values[i] or 0.0) > formatting.SURE):
        rows = list(run)
        if sure and len(rows) > 1:
            column.append(MarginCell(f"all above {formatting.SURE}", rows=len(rows)))
            column += [None] * (len(rows) - 1)
        else:
            column += [cells[i] for i in rows]
    return tuple(column)


def _section(title: str, rows: Mapping[str, ClassificationSummary]) -> Section:
    correct = [summary.correct for summary in rows.values()]
    wrong = [summary.wrong for summary in rows.values()]
    columns = (
        mean_column(correct),
        strongest_column(correct),
        mean_column(wrong),
        strongest_column(wrong),
    )
    return Section(title, rows, columns)
