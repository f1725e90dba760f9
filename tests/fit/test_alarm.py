"""What takes too long is ended, unless it must not be."""

import signal
import threading
import time

import pytest

from relprop.fit.alarm import OutOfTime, end_after


def test_a_block_that_takes_too_long_is_ended():
    begun = time.monotonic()
    with pytest.raises(OutOfTime), end_after(0.2):
        while time.monotonic() < begun + 5:
            time.sleep(0.01)
    assert 0.2 <= time.monotonic() - begun < 2


def test_what_must_not_be_ended_is_waited_for():
    done = []
    with pytest.raises(OutOfTime), end_after(0.1) as alarm:
        with alarm.wait():
            time.sleep(0.3)
            done.append("written")
        done.append("never")
    assert done == ["written"]


def test_nothing_rings_afterwards():
    handler = signal.getsignal(signal.SIGALRM)
    with end_after(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


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
