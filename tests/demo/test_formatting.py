"""Numbers as text."""

import pytest

from relprop.demo import formatting
from relprop.evaluate import Interval
from relprop.evaluate.statistics.classification import MarginStatistics


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (0.9994, "0.999"), (0.9996, ">0.999"), (None, "\N{EN DASH}")],
)
def test_a_margin_below_1_is_never_shown_as_1(value, text):
    assert formatting.margin(value) == text


def test_a_mean_without_an_interval_shows_why():
    assert formatting.margin_interval(MarginStatistics(1, 0.5, 0.5, None)) == "one digit"
    assert formatting.margin_interval(MarginStatistics(0, None, None, None)) == ""
    assert (
        formatting.margin_interval(MarginStatistics(2, 0.5, 0.5, Interval(0.25, 1)))
        == "0.250 to 1.000"
    )
