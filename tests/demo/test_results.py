"""The numbers of a demo as JSON."""

import json
import math
from dataclasses import replace

import pytest

from relprop.demo.results import as_record, to_json
from relprop.demo.run import RunInfo


def test_the_numbers_are_in_the_documented_places(demo):
    record = json.loads(to_json(demo))
    assert record["schema"] == "relprop-demo/2"
    assert record["settings"]["removed_pixels"] == 1
    assert record["settings"]["fills"] == {"zero": 0.0, "mean": pytest.approx(3 / 25)}
    epsilon = record["rules"][1]
    assert epsilon["recipe"] == "epsilon"
    assert epsilon["most_relevant"]["mean"]["error_rate"]["count"] == 8
    assert epsilon["least_relevant"]["zero"]["error_rate"]["count"] == 0
    assert epsilon["minus_brightest"]["zero"]["difference"]["mean"] == pytest.approx(4 / 12)
    assert record["controls"]["brightest"]["zero"]["error_rate"]["count"] == 4
    assert record["poster"]["rules"]["epsilon"] == {
        "largest_correct": 0.96633,
        "largest_wrong": 0.09543,
    }
    network = record["networks"][0]
    assert network["curves"]["mean"]["epsilon"][1]["error_rate"]["value"] == 8 / 12
    assert len(network["minus_controls"]["zero"]["random ink"]) == 4
    assert network["holds"][0].endswith("removing the brightest pixels.")
    assert record["examples"][0]["after"]["zero"]["epsilon"]["prediction"] == 0
    assert record["run"]["seconds"] == {"rule_table": 1.25}


def test_a_number_of_an_empty_group_is_null(demo):
    """All planted digits are classified correctly when nothing is removed."""
    wrong = json.loads(to_json(demo))["untouched"]["wrong"]
    assert wrong == {"n": 0, "largest": None, "mean": None, "interval": None}


def test_only_the_run_differs_between_two_equal_runs(demo):
    other = replace(demo, run=RunInfo({"rule_table": 9.0}, {"torch": "2.14.0"}, 4))
    first, second = as_record(demo), as_record(other)
    assert first.pop("run") != second.pop("run")
    assert first == second


def test_numbers_that_are_not_finite_never_reach_a_file(demo):
    broken = replace(demo, table=replace(demo.table, q=math.nan))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(broken)
