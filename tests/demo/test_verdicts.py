"""Sentences follow from the numbers, whichever way these turn out."""

from dataclasses import replace

import pytest

from relprop.demo.removal import BRIGHTEST, INK
from relprop.demo.verdicts import headline, network_verdicts, outcome, rule_sentences
from relprop.evaluate import Estimate, PairedTest

MORE = PairedTest(Estimate(0.5, None, 1000), 1e-9)
FEWER = PairedTest(Estimate(-0.5, None, 1000), 1e-9)
SAME = PairedTest(Estimate(0.5, None, 1000), 0.2)


@pytest.mark.parametrize(
    ("p_value", "tests", "expected"),
    [(0.049, 1, "more"), (0.05, 1, "same"), (0.049, 2, "same"), (0.02, 2, "more")],
)
def test_several_tests_share_the_level(p_value, tests, expected):
    assert outcome(PairedTest(Estimate(0.1, None, 9), p_value), tests) == expected


def verdicts_of(demo, zero, mean):
    """The demo's network at shares of 4, 5, 10 and 20 %, with these tests of brightest first."""
    found = {
        "zero": {BRIGHTEST: zero, INK: (MORE,) * 4},
        "mean": {BRIGHTEST: mean, INK: (MORE,) * 4},
    }
    return network_verdicts(replace(demo.main, tests=found))


def test_what_both_fills_show_is_told_from_what_one_shows(demo):
    verdicts = verdicts_of(demo, (MORE, MORE, FEWER, SAME), (MORE, MORE, FEWER, MORE))
    assert verdicts.holds == (
        "4% and 5% removed: more errors than by removing the brightest pixels.",
        "10% removed: fewer errors than by removing the brightest pixels.",
        "4%, 5%, 10% and 20% removed: more errors than by removing random ink.",
    )
    assert verdicts.depends == (
        "20% removed, against the brightest pixels: no clear difference under zero (67% against "
        "67%), more errors under mean (67% against 67%).",
    )


def test_relevance_that_is_no_better_is_called_so(demo):
    verdicts = verdicts_of(demo, (SAME,) * 4, (SAME,) * 4)
    assert verdicts.holds[0] == (
        "4%, 5%, 10% and 20% removed: no clear difference from removing the brightest pixels."
    )
    assert verdicts.depends == ()


def test_the_headline_has_the_rates_under_both_fills(demo):
    curves = demo.main.curves
    untouched = {order: curve[:1] * 5 for order, curve in curves["mean"].items()}
    as_before = replace(demo.main, curves={**curves, "mean": untouched})  # grey misleads nobody
    assert headline(as_before, 0.04) == (
        "If removed pixels turn black, 67% of the digits are classified wrongly without the 4% of "
        "pixels most relevant by epsilon, 33% without as many of the brightest, and 33% without "
        "random ink. If they turn mean grey: 0%, 0% and 0%."
    )


def test_rules_are_listed_by_how_they_do_against_brightest_first(demo):
    tests = {"zero": [MORE, MORE, FEWER, SAME, SAME, SAME], "mean": [MORE] * 6}
    rows = tuple(
        replace(row, against_brightest={fill: tests[fill][i] for fill in tests})
        for i, row in enumerate(demo.table.rows)
    )
    assert rule_sentences(replace(demo.table, rows=rows)) == (
        "Fill zero, compared with brightest first: more errors for zero and epsilon; fewer errors "
        "for gamma; no clear difference for alpha-beta, epsilon-plus-flat and epsilon-gamma-box.",
        "Fill mean, compared with brightest first: more errors for every rule.",
    )
