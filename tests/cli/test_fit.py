"""The command `relprop fit`, also stopped at any moment, beside others, and on a full disk."""

import json
import resource
import signal
import time

import pytest
from click.testing import CliRunner
from helpers.small_fits import QUICK, start_process, write_table

from relprop.bundles.bundle import load
from relprop.bundles.read import is_bundle, read_bundle
from relprop.cli import main
from relprop.search import first_steps, model

CONFIG = '[space]\nfamilies = ["mlp"]\n\n[space.mlp]\n' + "\n".join(
    f"{name} = {json.dumps(value)}" for name, value in QUICK.items()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, and a configuration that makes trials quick."""
    made = tmp_path_factory.mktemp("data")
    write_table(made / "table.csv")
    (made / "fit.toml").write_text(CONFIG)
    return made


@pytest.fixture
def start_fit():
    """Start `relprop fit`; what a failed test leaves running is ended."""
    processes = []

    def start(*options, **more):
        processes.append(start_process(*options, **more))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def arguments(folder, out, *more):
    return [folder / "table.csv", "--config", folder / "fit.toml", "--out", out, *more]


def run(*options):
    """Run the command here; its budget counts from the start of this program, hours ago perhaps."""
    return CliRunner().invoke(main, ["fit", *map(str, options)])


def wait_for(process, condition):
    """Wait until a condition holds while a program runs."""
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def trials(out):
    """Numbers of the trials that have ended, as the journal has them."""
    journal = out / "search" / "journal.log"
    return journal.read_text().count('"row"') if journal.exists() else 0


def test_the_command_shows_data_trials_and_metrics_and_what_to_do_next(folder, tmp_path):
    out = tmp_path / "out"
    done = run(*arguments(folder, out, "--trials", 2, "--budget", "20h"))
    assert done.exit_code == 0, done.output
    bundle = load(out)
    accuracy = bundle.metrics["accuracy"]
    assert f"accuracy {accuracy.value:.4f} [{accuracy.low:.4f}, " in done.stdout
    for text in (
        *("WHAT", "target", "answer", "289 samples", "trial", "mlp"),
        *(f"The model: {out}", f"--model {out}", f"The report: {out / 'report.html'}"),
    ):
        assert text in done.stdout
    assert "each trial is validated on 5 folds" in done.stderr
    assert "trial 0: mlp, accuracy" in done.stderr
    assert "left to search" in done.stderr


def test_a_teacher_that_was_left_out_for_lack_of_time_is_said(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(model, "_TEACHING", 1e-9)
    monkeypatch.setattr(first_steps, "_TEACHING_SHARE", 1e-9)
    out, taught = tmp_path / "out", tmp_path / "fit.toml"
    taught.write_text(CONFIG.replace('teacher = "none"', 'teacher = "boosted"'))
    options = ("--config", taught, "--out", out, "--trials", 1, "--budget", "20h")
    done = run(folder / "table.csv", *options)
    assert done.exit_code == 0, done.output
    note = "no teacher: there was no time for models that may teach; give a larger budget"
    assert done.stdout.count(f"warning: {note}\n") == 1
    assert load(out).content.warnings == (note,)
    assert load(out).content.leaderboard[0].note == note


def test_json_has_all_numbers_and_quiet_says_nothing_else(folder, tmp_path):
    out = tmp_path / "out"
    done = run(*arguments(folder, out, "--trials", 1, "--budget", "20h", "--json", "--quiet"))
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    content = read_bundle(out)
    assert found["metrics"][0]["value"] == content.metrics[0].value
    assert [row["number"] for row in found["leaderboard"]] == [0]
    assert found["bundle"] == str(out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget", "soon"], "a budget of 'soon'"),
        (["--trials", "0"], "Invalid value for '--trials': 0 is not in the range x>=1"),
        (["--workers", "0"], "Invalid value for '--workers': 0 is not in the range x>=1"),
        (["--seed", str(2**32)], "4294967296 is not in the range 0<=x<=4294967295"),
        (["--target", "answr"], "write --target answer"),
        (["--encoder", "nowhere"], "the encoder nowhere"),
    ],
)
def test_bad_options_end_with_code_2_and_the_line_to_write(folder, tmp_path, options, message):
    done = run(*arguments(folder, tmp_path / "out", *options))
    assert done.exit_code == 2
    assert message in done.stderr
    assert not is_bundle(tmp_path / "out")


def test_a_folder_of_someone_else_is_left_alone(folder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = run(*arguments(folder, tmp_path))
    assert done.exit_code == 2
    assert "holds files that no fit wrote" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_a_killed_fit_leaves_its_best_and_the_same_command_goes_on(start_fit, folder, tmp_path):
    out = tmp_path / "out"
    process = start_fit(*arguments(folder, out, "--budget", "10m"))
    wait_for(process, lambda: trials(out) >= 2)
    process.kill()
    process.communicate()
    bundle, before = load(out), trials(out)
    assert bundle.classes == ("no", "yes")
    assert not bundle.metrics  # the test part was not read
    done = run(*arguments(folder, out, "--trials", before + 1, "--budget", "20h"))
    assert done.exit_code == 0, done.output
    numbers = [row.number for row in read_bundle(out).leaderboard]
    assert len(numbers) == before + 1
    assert {0, 1} <= set(numbers)


@pytest.mark.slow
def test_ctrl_c_says_what_is_there(start_fit, folder, tmp_path):
    out = tmp_path / "out"
    process = start_fit(*arguments(folder, out, "--budget", "10m"))
    wait_for(process, lambda: trials(out) >= 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"stopped; the best model so far is in {out}; the same command goes on" in errors
    assert "Traceback" not in errors
    assert load(out).classes == ("no", "yes")


def writers(out):
    """Processes that have begun a trial."""
    lines = (out / "search" / "journal.log").read_text().splitlines()
    records = [json.loads(line) for line in lines[:-1]]  # the last one may be half written
    begun = [record["worker_id"] for record in records if record["op_code"] == 4]
    return {writer.rsplit("-", 1)[0] for writer in begun}


@pytest.mark.slow
def test_a_second_terminal_joins_and_killed_it_takes_its_own_trial_along_alone(
    start_fit, folder, tmp_path
):
    out = tmp_path / "out"
    command = arguments(folder, out, "--budget", "10m")
    first = start_fit(*command)
    wait_for(first, lambda: trials(out) >= 1)
    second = start_fit(*command)
    wait_for(second, lambda: len(writers(out)) == 2)
    second.kill()
    second.communicate()
    before = trials(out)
    wait_for(first, lambda: trials(out) >= before + 3)
    first.send_signal(signal.SIGINT)
    _, errors = first.communicate(timeout=60)
    assert "the same command goes on" in errors
    done = run(*arguments(folder, out, "--trials", 1, "--budget", "20h"))
    assert done.exit_code == 0, done.output
    rows = read_bundle(out).leaderboard
    assert len({row.number for row in rows}) == len(rows) >= before + 3
    assert {row.state for row in rows} <= {"done", "time", "pruned"}


@pytest.mark.slow
def test_a_full_disk_leaves_the_best_and_the_same_command_goes_on(start_fit, folder, tmp_path):
    out = tmp_path / "out"
    done = run(*arguments(folder, out, "--trials", 1, "--budget", "20h"))
    assert done.exit_code == 0, done.output
    before = load(out).content
    journal = (out / "search" / "journal.log").stat().st_size

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal + 500, journal + 500))

    process = start_fit(*arguments(folder, out, "--budget", "5m"), preexec_fn=limit)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cannot write" in errors
    assert f"the best model so far is in {out}" in errors
    assert load(out).content.metrics == before.metrics
    done = run(*arguments(folder, out, "--trials", 3, "--budget", "20h"))
    assert done.exit_code == 0, done.output
    assert len(read_bundle(out).leaderboard) == 3
