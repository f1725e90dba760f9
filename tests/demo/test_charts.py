"""Bars and lines: their places are the numbers."""

import pytest

from relprop.demo.charts import BOTTOM, LEFT, RIGHT, TOP, error_bars, line_chart
from relprop.demo.networks import CURVE_ORDERS
from relprop.demo.removal import BRIGHTEST, DEMO_FILLS
from relprop.demo.rule_table import RECIPES


def test_a_bar_is_as_long_as_the_error_rate(demo):
    by_rule, controls, _ = error_bars(demo.table)
    assert [row.recipe for row in by_rule.rows] == list(RECIPES)
    bar = by_rule.rows[1].bars[0]
    assert bar.width == pytest.approx(100 * 8 / 12)
    assert (bar.words, bar.title) == ("67% wrong", "8 of 12 wrong: 67%")
    assert (bar.low, bar.high) == (None, None)  # of twelve digits
    rates = [demo.table.controls[BRIGHTEST][fill].error_rate.value for fill in DEMO_FILLS]
    assert [bar.width for bar in controls.rows[0].bars] == [100 * rate for rate in rates]


def test_a_line_passes_through_the_error_rates(demo):
    chart = line_chart(demo.main, "mean")
    assert [line.order for line in chart.lines] == list(CURVE_ORDERS)
    first = chart.lines[0]
    rates = [summary.error_rate.value for summary in demo.main.curves["mean"]["epsilon"]]
    heights = [(BOTTOM - point.y) / (BOTTOM - TOP) for point in first.points]
    assert heights == pytest.approx(rates)
    shares = [(point.x - LEFT) / (RIGHT - LEFT) * 0.2 for point in first.points]
    assert shares == pytest.approx(demo.main.shares)
    assert first.points[1].title == "4% removed: 8 of 12 wrong: 67%"
    assert "epsilon 20% removed: 8 of 12 wrong: 67%" in chart.alt
