"""A clock affords so much as fits into a share of the time that is left."""

import pytest

from relprop.bundle_report import time_limit as module
from relprop.bundle_report.time_limit import TimeLimit


@pytest.fixture
def now(monkeypatch):
    times = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: times[0])
    return times


def test_it_affords_what_fits_and_remembers_when_that_was_less(now):
    clock = TimeLimit(10.0)
    with clock.measured("sample"):
        now[0] = 0.5
    assert clock.afforded(3, "sample", share=0.5) == 3
    assert not clock.was_short
    assert clock.afforded(30, "sample", share=0.5) == 9  # of 9.5 s a half, at 0.5 s each
    assert clock.was_short


def test_a_past_end_affords_nothing(now):
    clock = TimeLimit(1.0)
    with clock.measured("sample"):
        now[0] = 2.0
    assert clock.afforded(3, "sample", share=0.5) == 0
    assert not clock.has(0.1)
    assert clock.was_short


def test_without_an_end_everything_is_afforded(now):
    clock = TimeLimit(None)
    assert clock.afforded(1000, "sample", share=0.1) == 1000
    assert clock.has(1e9)
    assert not clock.was_short
