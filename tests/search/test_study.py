"""The study of a search: defaults first, shared by processes, given back when one is gone."""

import os
import subprocess
import sys
import textwrap

import optuna
import pytest
from helpers.small_fits import FACTS, TRAINING, environment, small_family

from relprop.bundles.content import LeaderboardRow
from relprop.errors import FileError
from relprop.search.journal import open_journal
from relprop.search.space import narrow_spaces
from relprop.search.study import SharedStudy

FAMILIES = (small_family("first"), small_family("second"))
SPACES = narrow_spaces(FAMILIES, FACTS, {})


def open_study(folder, seed=0):
    return SharedStudy(folder, SPACES, seed)


def row(attempt, score=0.5, state="done"):
    return LeaderboardRow(
        attempt.number, attempt.family, dict(attempt.settings), state, score, 5.0, 1.0
    )


def run_elsewhere(folder, code):
    """Run code in another process, which opens the study of a folder; it is then killed."""
    program = f"""
        import os
        from pathlib import Path
        from helpers.small_fits import FACTS, small_family
        from relprop.search.space import narrow_spaces
        from relprop.search.study import SharedStudy
        families = (small_family("first"), small_family("second"))
        study = SharedStudy(Path({str(folder)!r}), narrow_spaces(families, FACTS, {{}}), 0)
        {code}
        os.kill(os.getpid(), 9)
    """
    paths = (
        environment()["PYTHONPATH"] + os.pathsep + str(os.path.dirname(os.path.dirname(__file__)))
    )
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**environment(), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_defaults_of_the_families_come_first_then_choices_inside_the_space(tmp_path):
    study = open_study(tmp_path)
    attempts = [study.ask() for _ in range(6)]
    assert [(a.number, a.family) for a in attempts[:2]] == [(0, "first"), (1, "second")]
    assert [dict(a.settings) for a in attempts[:2]] == [SPACES[0].default, SPACES[1].default]
    for attempt in attempts[2:]:
        assert attempt.settings["width"] in (4, 8)
        assert 1e-3 <= attempt.settings["rate"] <= 1e-1
        assert attempt.settings["epochs"] == SPACES[0].default["epochs"]
    assert len({a.settings["rate"] for a in attempts[2:]}) == 4


def test_the_leaderboard_has_the_best_first_and_those_without_a_model_last(tmp_path):
    study = open_study(tmp_path)
    ends = [(0.7, "done"), (None, "memory"), (0.9, "time"), (0.95, "pruned"), (0.8, "done")]
    ends.append((None, "done"))  # a model that was not validated
    for score, state in ends:
        attempt = study.ask()
        study.tell(attempt, row(attempt, score, state))
    assert [(r.score, r.state) for r in study.rows()] == [
        *[(0.9, "time"), (0.8, "done"), (0.7, "done")],
        *[(0.95, "pruned"), (None, "memory"), (None, "done")],
    ]
    known = optuna.load_study(study_name=None, storage=open_journal(tmp_path))
    states = [trial.state.name for trial in known.trials]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "PRUNED", "COMPLETE", "FAIL"]
    assert open_study(tmp_path).rows() == study.rows()  # as another process sees it


def test_no_trial_is_begun_beyond_the_most(tmp_path):
    study = open_study(tmp_path)
    first, second = study.ask(2), study.ask(2)
    study.tell(first, row(first))
    assert study.ask(2) is None
    study.tell(second, row(second, None, "diverged"))
    assert study.ask(2) is None
    assert study.ask(3).number == 2


def test_a_trial_whose_process_was_killed_is_run_again_once(tmp_path):
    study = open_study(tmp_path)
    families = []
    for _ in range(2):
        code = "a, b = study.ask(), study.ask(); print(a.family, b.family, flush=True)"
        ended = run_elsewhere(tmp_path, code)
        assert ended.returncode == -9, ended.stderr
        families.append(ended.stdout.split())
        assert study.running() == 0
    assert families == [["first", "second"]] * 2
    # the defaults ran when their process was killed, twice: what comes now is new
    found = [study.ask() for _ in range(3)]
    assert all(a.settings["rate"] != TRAINING["rate"] for a in found)


def test_a_running_trial_of_a_living_process_is_left_alone(tmp_path):
    study, other = open_study(tmp_path), open_study(tmp_path)
    attempt = study.ask()
    assert other.running() == 1
    second = other.ask()
    assert (second.number, study.running()) == (1, 2)
    study.tell(attempt, row(attempt))
    assert other.running() == 1


def test_a_trial_that_is_given_back_is_the_next_one_again(tmp_path):
    study = open_study(tmp_path)
    attempts = [study.ask(), study.ask()]
    given = attempts[0]
    for number in (2, 3, 4):  # as often as it may be: no process was killed
        study.give_back(given)
        given = again = study.ask()
        assert (again.number, dict(again.settings)) == (number, dict(attempts[0].settings))
    study.tell(again, row(again))
    study.give_back(again)  # it has ended: nothing changes
    assert [r.number for r in study.rows()] == [4]


def test_a_resumed_study_does_not_repeat_its_draws(tmp_path):
    rates = []
    for _ in range(2):
        study = open_study(tmp_path)
        attempts = [study.ask() for _ in range(4)]
        for attempt in attempts:
            study.tell(attempt, row(attempt))
        rates += [a.settings["rate"] for a in attempts if a.number > 1]
    assert len(set(rates)) == len(rates) == 6


def test_the_same_seed_draws_the_same_settings(tmp_path):
    drawn = []
    for folder in ("a", "b", "c"):
        study = open_study(tmp_path / folder, seed=1 if folder == "c" else 0)
        attempts = [study.ask() for _ in range(4)]
        drawn.append([dict(attempt.settings) for attempt in attempts])
    assert drawn[0] == drawn[1]
    assert drawn[0][:2] == drawn[2][:2]
    assert drawn[0][2:] != drawn[2][2:]


def test_a_trial_that_is_far_behind_at_the_same_progress_is_stopped(tmp_path):
    study = open_study(tmp_path)
    stopped = []
    for score in (0.9, 0.8, 0.95, 0.5):
        attempt = study.ask()
        assert not study.should_stop(attempt, 0.1, 0.0)  # too early to say
        stopped.append(study.should_stop(attempt, 0.3, score))
        assert not study.should_stop(attempt, 0.95, 0.0)  # too late to save time
        study.tell(attempt, row(attempt, score))
    assert stopped == [False, True, False, True]


def test_a_journal_with_a_line_cut_short_is_read_and_goes_on(tmp_path):
    study = open_study(tmp_path)
    attempt = study.ask()
    study.tell(attempt, row(attempt))
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 4, "worker')  # what a full disk leaves
    resumed = open_study(tmp_path)
    assert [r.number for r in resumed.rows()] == [0]
    again = resumed.ask()
    resumed.tell(again, row(again, 0.6))
    assert [r.number for r in study.rows()] == [1, 0]


def test_a_line_that_another_process_left_unfinished_does_not_spoil_the_next_one(tmp_path):
    study = open_study(tmp_path)
    attempt = study.ask()
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"op_code": 4, "worker')
    study.tell(attempt, row(attempt))
    assert [r.number for r in open_study(tmp_path).rows()] == [0]


def test_a_lock_of_a_killed_process_holds_nobody_up(tmp_path):
    run_elsewhere(tmp_path, "study._lock.acquire(); study._study._storage._backend._lock.acquire()")
    assert open_study(tmp_path).ask().number == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    study = open_study(tmp_path)
    (tmp_path / "journal.log").unlink()
    (tmp_path / "journal.log").mkdir()
    with pytest.raises(FileError, match="cannot write the search") as error:
        study.ask()
    assert "same command" in error.value.todo


def test_the_leader_is_kept_for_all(tmp_path):
    study = open_study(tmp_path)
    assert study.leader is None
    with study.alone():
        study.lead(3)
    assert open_study(tmp_path).leader == 3
