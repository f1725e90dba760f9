"""What takes too long is ended, unless it must not be."""

import signal
import threading
import time

import pytest

from relprop.search.alarm import OutOfTime, end_after


def sleep_in_python(seconds):
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        time.sleep(0.01)


def test_a_block_that_takes_too_long_is_ended():
    begun = time.monotonic()
    with pytest.raises(OutOfTime), end_after(0.2):
        sleep_in_python(5)
    assert 0.2 <= time.monotonic() - begun < 2


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_block_without_time_is_ended_at_once(seconds):
    begun = time.monotonic()
    with pytest.raises(OutOfTime), end_after(seconds):
        sleep_in_python(5)
    assert time.monotonic() - begun < 2


def test_code_that_handles_its_own_errors_is_ended_too():
    def careless():
        try:
            sleep_in_python(5)
        except Exception:
            return

    with pytest.raises(OutOfTime), end_after(0.1):
        careless()


def test_what_must_not_be_ended_is_waited_for():
    done = []

    def run(alarm):
        with alarm.wait():
            time.sleep(0.3)
            done.append("written")
        done.append("never")

    with pytest.raises(OutOfTime), end_after(0.1) as alarm:
        run(alarm)
    assert done == ["written"]


def test_nothing_rings_afterwards():
    handler = signal.getsignal(signal.SIGALRM)
    with end_after(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_timer_of_the_caller_goes_on():
    rang = []
    handler = signal.signal(signal.SIGALRM, lambda number, frame: rang.append(number))
    signal.setitimer(signal.ITIMER_REAL, 100, 50)
    with end_after(10):
        sleep_in_python(0.1)
    left, interval = signal.setitimer(signal.ITIMER_REAL, 0.05)
    assert 80 < left < 99.95
    assert interval == 50
    with end_after(10):
        sleep_in_python(0.1)
        assert rang == []
    sleep_in_python(0.1)
    signal.signal(signal.SIGALRM, handler)
    assert rang == [signal.SIGALRM]


def test_in_another_thread_the_block_runs_to_its_end():
    found = []

    def run():
        with end_after(0.05):
            time.sleep(0.2)
            found.append("done")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == ["done"]
