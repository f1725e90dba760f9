"""The table of a demo that a terminal shows.

Takes a DemoResult. Gives text.
"""

from textwrap import wrap

from ..evaluate.statistics.classification import ClassificationSummary
from . import formatting
from .rule_table import MAIN_RECIPE
from .run import DemoResult

_WIDTH = 80


def short_table(demo: DemoResult) -> str:
    """Write a line for each recipe and control, and the main comparison."""
    table, used = demo.table, len(demo.digits.labels)
    lines = [
        *wrap(f"{demo.settings.model} on {used:,} digits: {demo.digits.source}.", _WIDTH),
        f"Error rate after {table.removed_pixels} of {table.pixels} pixels (q = {table.q:g}) are "
        "removed, with 95% intervals:",
        "",
        f"{'':20}{'most relevant':>26}{'least relevant':>26}",
        *(_line(row.recipe, row.most, row.least) for row in table.rows),
        "",
        _line("random pixels", table.random),
        _line("random ink pixels", table.random_ink),
        _line("nothing removed", table.untouched),
        "",
        f"Most relevant by {MAIN_RECIPE}, minus as many pixels of the same digits removed at",
        f"  random:      {formatting.comparison(table.against_random)}",
        f"  random ink:  {formatting.comparison(table.against_random_ink)}",
    ]
    return "\n".join(lines)


def _line(name: str, *summaries: ClassificationSummary) -> str:
    rates = (
        f"{formatting.rate(s.error_rate):>8}  "
        f"({formatting.rate_interval(s.error_rate.interval):>12})"
        for s in summaries
    )
    return f"{name:20}" + "".join(f"{rate:>26}" for rate in rates).rstrip()
