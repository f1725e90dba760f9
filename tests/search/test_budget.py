"""Durations and amounts of memory as texts; deadlines; what is kept for the end."""

import subprocess
import sys
import time

import pytest

from relprop.errors import InputError
from relprop.search.budget import Deadline, parse_duration, parse_memory, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5m", 90), (" 2M ", 120), ("1h1m1s", 3661)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m10", "0s", "-5m", "10 minutes", "1m1h", None, 60])
def test_what_is_no_duration_is_refused_with_the_line_to_write(text):
    with pytest.raises(InputError, match="a budget of") as error:
        parse_duration(text)
    assert error.value.todo == 'write "10m"'


@pytest.mark.parametrize(("seconds", "text"), [(5399.2, "1h30m"), (0.2, "1s"), (61, "1m1s")])
def test_a_written_duration_is_read_again(seconds, text):
    assert write_duration(seconds) == text
    assert seconds <= parse_duration(text) < seconds + 1


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1 GiB", 2**30), ("0.5mb", 500_000), (1000, 1000)]
)
def test_amounts_of_memory_are_read(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["2", "GB", "2TBB", "0MB", "-1GB", True, 0, 1.5])
def test_what_is_no_amount_of_memory_is_refused(text):
    with pytest.raises(InputError, match="memory of"):
        parse_memory(text)


def test_a_deadline_counts_down_and_can_be_earlier():
    deadline = Deadline(time.monotonic() - 10, 60)
    assert deadline.left() == pytest.approx(50, abs=0.5)
    assert deadline.before(20).left() == pytest.approx(30, abs=0.5)
    assert deadline.spent() == pytest.approx(10, abs=0.5)


def test_the_deadline_of_a_process_counts_from_its_start():
    code = (
        "import time; time.sleep(1); from relprop.search.budget import Deadline;"
        "print(Deadline.of_process(60).spent() - Deadline.of_call(60).spent())"
    )
    begun = time.monotonic()
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1 <= float(found.stdout) <= time.monotonic() - begun + 0.1
