"""Processes that search beside another one: what they are told, and that they may be gone."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from helpers.small_fits import QUICK_SPACE, environment, write_table

from relprop.bundles.read import read_bundle
from relprop.data.options import DataOptions
from relprop.search import run
from relprop.search.api import fit
from relprop.search.budget import Deadline
from relprop.search.settings import FitSettings
from relprop.search.worker import parse_request
from relprop.search.workers import Workers, write_request


@pytest.fixture
def as_here(monkeypatch):
    """Let other processes import what these tests import."""
    for name in ("PYTHONPATH", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, environment()[name])


def test_another_process_is_told_all_that_was_asked_for(tmp_path):
    options = DataOptions(target="answer", kinds={"a": "category"}, drop=("b",), test="more.csv")
    settings = FitSettings(tmp_path, 60.0, 5, 10**9, 2, 3, {"families": ["mlp"]}, "", "cpu")
    deadline = Deadline(time.monotonic(), 60.0)
    told = json.loads(write_request("table.csv", options, settings, deadline))
    request = parse_request(told)
    assert request.source == "table.csv"
    assert request.options == options
    assert request.settings == FitSettings(
        tmp_path, 60.0, 5, 10**9, 1, 3, {"families": ["mlp"]}, "", "cpu"
    )
    assert request.deadline == deadline
    assert told["parent"] == os.getpid()


def test_processes_share_the_threads_and_give_them_back(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        settings = FitSettings(tmp_path, 60.0, workers=2)
        with Workers("table.csv", DataOptions(), settings, Deadline.of_call(60)):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_a_start_that_fails_ends_the_processes_that_were_started(monkeypatch, tmp_path):
    started, start = [], subprocess.Popen

    def start_once(*command, **options):
        if started:
            raise BlockingIOError("no more processes")
        started.append(
            start([sys.executable, "-c", "import time; time.sleep(60)"], stdin=options["stdin"])
        )
        return started[-1]

    before = torch.get_num_threads()
    monkeypatch.setattr(subprocess, "Popen", start_once)
    settings = FitSettings(tmp_path, 60.0, workers=3)
    with (
        pytest.raises(BlockingIOError),
        Workers("table.csv", DataOptions(), settings, Deadline.of_call(60)),
    ):
        pass
    assert [process.returncode for process in started] == [-signal.SIGTERM]
    assert torch.get_num_threads() == before


def test_a_process_that_does_not_end_by_itself_is_ended(tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + (
        "print(flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    settings = FitSettings(tmp_path, 60.0)
    with Workers("table.csv", DataOptions(), settings, Deadline.of_call(60)) as workers:
        workers._processes.append(process)
        process.stdout.readline()
        begun = time.monotonic()
    assert process.poll() == -signal.SIGKILL
    assert time.monotonic() - begun < 20
    process.stdout.close()


def test_a_process_that_cannot_search_says_why_in_an_error_of_three_parts(as_here, tmp_path):
    settings = FitSettings(tmp_path / "out", 60.0, workers=2)
    told = write_request(tmp_path / "none.csv", DataOptions(), settings, Deadline.of_call(60))
    ended = subprocess.run(
        [sys.executable, "-m", "relprop.search.worker"],
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    first, given, *_ = ended.stderr.splitlines()
    assert first == "a process that searches beside this one ended:"
    assert "none.csv" in given
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_killed_process_does_not_hold_the_others_up(as_here, tmp_path, monkeypatch):
    table = write_table(tmp_path / "table.csv")
    killed = []

    class Killing(Workers):
        def wait(self, search):
            for process in self._processes:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.wait())
            super().wait(search)

    monkeypatch.setattr(run, "Workers", Killing)
    fit(table, budget="5m", trials=3, workers=2, out=tmp_path / "out", space=QUICK_SPACE)
    assert len(killed) == 1
    content = read_bundle(tmp_path / "out")
    assert content.metrics[0].n == 60
