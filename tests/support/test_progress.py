"""Progress on stderr: bars, lines, and stages within a stage."""

import sys

import pytest

from relprop.errors import InputError
from relprop.support.progress import NestedProgress, Progress, progress_of


def test_a_terminal_gets_a_bar_and_a_pipe_gets_lines(monkeypatch, capsys):
    for terminal, expected in ((True, "bar"), (False, "lines")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        progress = Progress.detect()
        assert progress.style == expected
        with progress.stage("Removal", 4, "digits") as advance:
            advance(4)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "Removal" in shown.err
        assert ("4/4" in shown.err) == terminal
    assert Progress.detect(quiet=True).style == "quiet"


def test_lines_say_every_half_minute_how_far_it_is(monkeypatch, capsys):
    now = iter((0.0, 29.9, 30.1, 40.0, 61.0, 62.0))
    monkeypatch.setattr("relprop.support.progress.time.perf_counter", lambda: next(now))
    with Progress("lines").stage("Removal", 4, "digits") as advance:
        for _ in range(4):
            advance(1)
    said = ["4 digits ...", "50% after 30 s", "100% after 61 s", "done in 62.0 s"]
    assert capsys.readouterr().err.splitlines() == [f"Removal: {end}" for end in said]


def test_a_part_counts_towards_the_stage_around_it():
    done = []
    with NestedProgress(done.append).stage("Within", 4, "digits") as advance:
        advance(3)
    assert done == [3]


def test_an_option_is_a_bool_or_a_progress():
    assert progress_of(False).style == "quiet"
    assert progress_of(True).style == "lines"  # stderr is captured, and no terminal
    own = Progress("bar")
    assert progress_of(own) is own


@pytest.mark.parametrize("option", [None, 1, "bar"])
def test_any_other_option_is_refused(option):
    with pytest.raises(InputError, match=f"progress is {option!r}"):
        progress_of(option)
