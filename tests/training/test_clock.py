"""The clock of a training, on a time that the test sets."""

import pytest

from relprop.training.clock import Clock


class Time:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def run(clock, time, step_seconds, steps=10**6):
    """Do steps until the clock says that it is over; return the progress after each."""
    progress = []
    while not clock.ended and len(progress) < steps:
        time.seconds += step_seconds
        clock.step()
        progress.append(clock.progress)
    return progress


def test_with_time_enough_progress_is_the_share_of_the_steps():
    time = Time()
    clock = Clock(40, seconds=60, now=time)
    assert run(clock, time, 1.0) == pytest.approx([step / 40 for step in range(1, 41)])
    assert (clock.progress, clock.ended, clock.elapsed) == (1.0, "done", 40)


def test_with_half_the_time_progress_runs_twice_as_fast():
    time = Time()
    clock = Clock(1000, seconds=100, now=time)
    progress = run(clock, time, 1.0)
    assert progress[49] == pytest.approx(0.5, abs=0.01)
    assert (clock.ended, clock.elapsed) == ("time", 100)


def test_steps_that_become_slower_still_reach_the_end():
    time = Time()
    clock = Clock(1000, seconds=100, now=time)
    run(clock, time, 0.1, steps=500)
    progress = run(clock, time, 0.4)
    assert progress == sorted(progress)
    assert progress[-2] > 0.95
    assert clock.ended == "time"
    assert clock.elapsed <= 100


def test_the_first_step_does_not_count_as_typical():
    time = Time()
    clock = Clock(100, seconds=120, now=time)
    run(clock, time, 20.0, steps=1)
    assert run(clock, time, 0.9, steps=1) == pytest.approx([0.02])


def test_time_is_kept_for_the_last_check():
    time = Time()
    clock = Clock(10**4, seconds=100, now=time)
    clock.expect_check(30)
    run(clock, time, 1.0)
    assert clock.elapsed == 70


def test_time_that_was_spent_before_counts():
    time = Time()
    clock = Clock(10**4, seconds=100, started=time() - 60, now=time)
    run(clock, time, 1.0)
    assert clock.elapsed == 100
    assert clock.steps == 40


def checks(clock, time, step_seconds, check_seconds):
    """Do a whole training; return at which steps it is validated."""
    due = []
    while not clock.ended:
        run(clock, time, step_seconds, steps=1)
        if clock.check_is_due():
            due.append(clock.steps)
            time.seconds += check_seconds
            clock.checked(check_seconds)
    return due


def test_checks_are_at_equal_parts_of_the_progress():
    time = Time()
    clock = Clock(400, seconds=10**4, now=time)
    assert checks(clock, time, 1.0, 50.0) == list(range(20, 401, 20))


def test_costly_checks_are_left_out_where_time_is_short_but_the_last():
    time = Time()
    clock = Clock(10**6, seconds=1000, now=time)
    clock.expect_check(20)
    due = checks(clock, time, 1.0, 20.0)
    assert due[0] == pytest.approx(400, abs=50)  # when one is a twentieth of the time
    assert len(due) == 3
    assert due[-1] == clock.steps
    assert clock.elapsed <= 1000
