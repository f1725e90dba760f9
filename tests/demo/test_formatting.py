"""Numbers as text."""

import pytest

from relprop.demo import formatting
from relprop.evaluate import Interval, Proportion
from relprop.evaluate.statistics.classification import MarginStatistics


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (0.9994, "0.999"), (0.9996, ">0.999"), (None, "\N{EN DASH}")],
)
def test_a_margin_below_1_is_never_shown_as_1(value, text):
    assert formatting.margin(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0%"), (0.002, "0.2%"), (0.0994, "9.9%"), (0.0996, "10%"), (0.79, "79%")),
        *((0.994, "99%"), (0.998, "99.8%"), (1, "100%")),
    ],
)
def test_a_share_is_whole_but_near_the_ends(value, text):
    assert formatting.percent(value) == text


def test_an_interval_is_shown_where_n_allows_one():
    def rate(n):
        return formatting.rate_interval(Proportion(n // 2, n, 0.5, Interval(0.3, 0.7)))

    assert (rate(19), rate(20)) == ("", "30 to 70")

    def margin(n):
        interval = None if n < 2 else Interval(0.25, 1)
        return formatting.margin_interval(MarginStatistics(n, 0.5, 0.5, interval))

    assert [margin(n) for n in (0, 1, 19, 20)] == ["", "", "", "0.250 to 1.000"]


def test_certainty_and_lists_in_words():
    assert [formatting.certainty(value) for value in (0.5, 0.99, 0.995)] == [
        *("margin 0.50", "margin 0.99", "sure")
    ]
    assert formatting.listing(["a"]) == "a"
    assert formatting.listing(["a", "b", "c"]) == "a, b and c"
