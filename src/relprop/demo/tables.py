"""The table of a demo that a terminal shows.

Takes a DemoResult. Gives text.
"""

from collections.abc import Mapping, Sequence
from textwrap import wrap

from ..evaluate.statistics.classification import ClassificationSummary
from . import formatting
from .removal import CONTROL_ORDERS, DEMO_FILLS, RANDOM
from .rule_table import MAIN_RECIPE
from .run import DemoResult
from .verdicts import network_verdicts, rule_sentences

_WIDTH, _NAME, _CELL = 88, 40, 24


def short_table(demo: DemoResult) -> str:
    """Write a line for each recipe and control, and what holds under every fill."""
    table, used = demo.table, len(demo.digits.labels)
    which = "training digits" if demo.digits.split == "train" else "test digits"
    which += ", which it was trained on" if demo.saw_digits else ""
    lines = [
        f"{demo.settings.model} on {used:,} {which}",
        f"{table.removed_pixels} of {table.pixels} pixels removed ({100 * table.q:g}%)",
        "",
        _columns("", [f"fill {fill} ({formatting.FILL_NAMES[fill]})" for fill in DEMO_FILLS]),
        "Most relevant first, by rule",
        *(_line(row.recipe, row.most) for row in table.rows),
        "Orders that know no network",
        *(_line(formatting.ORDER_NAMES[o], table.controls[o]) for o in (*CONTROL_ORDERS, RANDOM)),
        "For comparison",
        _line(f"least |relevance| first, {MAIN_RECIPE}", table.main.least),
        _line("nothing removed", dict.fromkeys(DEMO_FILLS, table.untouched)),
        "",
        *_verdicts(demo),
    ]
    return "\n".join(lines)


def _verdicts(demo: DemoResult) -> list[str]:
    verdicts = network_verdicts(demo.main)
    lines = [f"Alike under every fill, by {MAIN_RECIPE}:"]
    lines += _sentences(verdicts.holds or ("nothing.",))
    if verdicts.depends:
        lines += ["Depends on the fill:", *_sentences(verdicts.depends)]
    return [*lines, "By rule:", *_sentences(rule_sentences(demo.table))]


def _sentences(sentences: Sequence[str]) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in wrap(sentence, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    ]


def _line(name: str, by_fill: Mapping[str, ClassificationSummary]) -> str:
    cells = []
    for fill in DEMO_FILLS:
        rate = by_fill[fill].error_rate
        interval = formatting.rate_interval(rate)
        words = f"{formatting.rate(rate)} wrong"
        cells.append(f"{words} ({interval})" if interval else words)
    return _columns(f"  {name}", cells)


def _columns(name: str, cells: Sequence[str]) -> str:
    return f"{name:{_NAME}}" + "".join(f"{cell:{_CELL}}" for cell in cells).rstrip()
