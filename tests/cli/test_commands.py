"""The command line: exit codes, what goes to which stream, and what is left behind."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.idx_files import write_digits

import relprop
from relprop import cli
from relprop.data import first_digits, packaged_digits
from relprop.demo.output import FIGURES, PAGES
from relprop.demo.page import NUMBERS
from relprop.errors import MissingExtraError
from relprop.evaluate.statistics.classification import proportion
from relprop.models import ModelCard

HOME = str(Path(relprop.__file__).parents[1])  # of the package that is tested
COUNT = 30
MODEL = "mnist-dnn-500"  # the smallest, because the demo is run twice here


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with the first packaged digits in the place of the test digits."""
    home = tmp_path_factory.mktemp("data")
    write_digits(home / "mnist", first_digits(packaged_digits(), COUNT))
    return str(home)


def relprop_command(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def quiet_json(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("json") / "out"
    options = ("--data-dir", data, "--digits", COUNT, "--seed", 3, "--out", out)
    return relprop_command("demo", "--model", MODEL, *options, "--json", "--quiet"), out


# ---- the demo --------------------------------------------------------------------------


def test_json_is_all_there_is_on_stdout_and_quiet_leaves_stderr_empty(quiet_json):
    result, out = quiet_json
    assert result.exit_code == 0
    assert result.stderr == ""
    assert json.loads(result.stdout)["settings"]["seed"] == 3
    assert (out / NUMBERS).read_text() == result.stdout
    assert {path.name for path in out.iterdir()} == {*PAGES, NUMBERS, *FIGURES}


@pytest.mark.slow
def test_a_real_process_gives_the_same_numbers_and_says_what_it_does(quiet_json, data, tmp_path):
    """Over a pipe, with plain lines of progress; from the data set's environment variable."""
    options = ["--model", MODEL, "--digits", str(COUNT), "--seed", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "relprop", "demo", *options],
        cwd=tmp_path,
        env={**os.environ, "RELPROP_DATA": data, "PYTHONPATH": HOME},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first = json.loads(quiet_json[0].stdout)
    second = json.loads((tmp_path / "relprop-demo" / NUMBERS).read_text())
    assert first.pop("run") != second.pop("run")
    assert first == second
    # the result on stdout: the table, whose figures are those of the JSON, and where to look
    row = next(rule for rule in first["rules"] if rule["recipe"] == "gamma")
    rate = r"(\S+)% wrong \((\S+) to (\S+)\)"
    printed = re.search(rf"^  gamma +{rate} +{rate}$", done.stdout, re.MULTILINE)
    expected = []
    for fill in ("zero", "mean"):
        found = proportion(row["most_relevant"][fill]["error_rate"]["count"], COUNT)
        expected += [found.value, found.interval.low, found.interval.high]
    assert printed.groups() == tuple(f"{100 * number:.0f}" for number in expected)
    assert "relprop-demo/index.html" in done.stdout
    # progress on stderr, in lines, with nothing that moves a cursor
    assert "Rule table: 180 explanations ..." in done.stderr
    assert f"Digits: {COUNT} of {COUNT}\n" in done.stderr
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--model", "mnist-cn"), "there is no model named 'mnist-cn'"),
        (("--digits", COUNT + 1), f"{COUNT + 1} digits to use"),
        (("--digits", 0), "0 digits to use"),
        (("--digits", "many"), "--digits many"),
        (("--q", 0), "q=0, the share to remove of samples with 784 units"),
        (("--q", "nan"), "q=nan"),
        (("--data-dir", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_an_error_in_three_parts_and_leaves_nothing(options, given, data, tmp_path):
    out, few = tmp_path / "new" / "out", ("--digits", COUNT)
    result = relprop_command("demo", "--data-dir", data, "--out", out, "--quiet", *few, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert given in result.stderr
    assert "\n  allowed: " in result.stderr
    assert "\n  to do:   " in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_ours_is_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr("relprop.demo.run.run_demo", lambda *_: pytest.fail("work was done"))
    result = relprop_command("demo", "--out", tmp_path)
    assert result.exit_code == 2
    assert "it holds files that no demo wrote" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_missing_package_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = relprop_command("demo", "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 2
    assert "relprop demo: matplotlib is not installed" in result.stderr
    assert 'pip install "relprop[demo]"' in result.stderr
    assert issubclass(MissingExtraError, ImportError)


OUT_OF_RANGE = [
    *((name, ("--digits", 0), "0 digits to use") for name in ("demo", "compare")),
    *((name, ("--digits", -3), "-3 digits to use") for name in ("demo", "compare")),
    *((name, ("--digits", 10_001), "10001 digits to use") for name in ("demo", "compare")),
    *((name, ("--seed", 2**63), "seed is 9223") for name in ("demo", "compare", "train")),
    *((name, ("--q", 0), "q=0, the share to remove") for name in ("demo", "compare")),
    *((name, ("--q", 1.5), "q=1.5, the share to remove") for name in ("demo", "compare")),
    *((name, ("--q", 1e-9), "q=1e-09, the share to remove") for name in ("demo", "compare")),
    ("compare", ("--steps", 0), "steps"),
    ("compare", ("--steps", 785), "785"),
    ("compare", ("--fill", "such"), "fill='such'"),
    ("compare", ("--score", "such"), "score='such'"),
    ("compare", ("--data", "such"), "data='such'"),
    ("compare", ("--method", "such"), "such"),
    ("train", ("--epochs", 0), "epochs is 0"),
    ("train", ("--epochs", -1), "epochs is -1"),
]
NAMES = {"demo": (), "compare": (MODEL,), "train": ("fashion-cnn",)}


@pytest.fixture
def no_data(monkeypatch):
    """Looking for data, or downloading it, fails the test."""
    monkeypatch.delenv("RELPROP_DATA", raising=False)

    def refuse(*args, **kwargs):
        pytest.fail("data was looked for")

    for name in ("data", "data.load", "demo.run", "compare.task"):
        for function in ("find_digits", "load_digits"):
            monkeypatch.setattr(f"relprop.{name}.{function}", refuse, raising=False)


@pytest.mark.parametrize(("command", "options", "given"), OUT_OF_RANGE)
def test_options_out_of_range_are_refused_before_any_data_is_looked_for(
    command, options, given, no_data, tmp_path
):
    out = tmp_path / "new" / "out"
    result = relprop_command(command, *NAMES[command], "--out", out, "--quiet", *options)
    assert result.exit_code == 2, result.output
    assert given in result.stderr
    assert "\n  allowed: " in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", NAMES)
@pytest.mark.parametrize("folder", ["file", "file/below", "n" * 300, "new/" + "n" * 300])
def test_a_folder_that_cannot_be_made_is_an_error_before_any_data_is_looked_for(
    command, folder, no_data, tmp_path
):
    (tmp_path / "file").write_text("a file")
    result = relprop_command(command, *NAMES[command], "--out", tmp_path / folder, "--quiet")
    assert result.exit_code == 2, result.output
    assert "cannot create the folder" in result.stderr
    assert "\n  to do:   " in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_of_something_else_is_refused_before_any_data_is_looked_for(no_data, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for command, words in (
        ("demo", "no demo wrote"),
        ("compare", "not the folder of a comparison"),
    ):
        result = relprop_command(command, *NAMES[command], "--out", tmp_path, "--quiet")
        assert result.exit_code == 2
        assert words in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# ---- failures --------------------------------------------------------------------------


def failing(error):
    def run_demo(settings, progress):
        raise error

    return run_demo


def test_a_failure_of_the_system_is_a_line_and_exit_code_1(tmp_path, monkeypatch):
    error = OSError(28, "No space left on device")
    monkeypatch.setattr("relprop.demo.run.run_demo", failing(error))
    result = relprop_command("demo", "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: [Errno 28] No space left on device\n"


def test_ctrl_c_ends_with_exit_code_1_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("relprop.demo.run.run_demo", failing(KeyboardInterrupt()))
    result = relprop_command("demo", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Aborted" in result.stderr
    assert list(tmp_path.iterdir()) == []


# ---- the other commands ----------------------------------------------------------------


def test_accuracy_is_printed_with_the_digits_it_was_measured_on(data):
    result = relprop_command("accuracy", "mnist-cnn", "--data-dir", data)
    assert result.exit_code == 0
    assert re.match(r"mnist-cnn: accuracy \d+\.\d\d% on 30 images: MNIST", result.stdout)


def test_train_writes_where_it_is_told_and_prints_the_accuracy(data, tmp_path, monkeypatch):
    seen = {}

    def train(name, digits, *, test, out, seed, epochs, progress):
        seen.update(name=name, split=digits.split, test=test.split, seed=seed, epochs=epochs)
        return ModelCard(name=name, input_shape=(1, 28, 28), accuracy=0.5)

    digits = packaged_digits()
    loaded = {"train": digits, "test": type(digits)(digits.images, digits.labels, "test", "")}
    monkeypatch.setattr("relprop.models.train.train", train)
    monkeypatch.setattr("relprop.data.load_digits", lambda split, *_, **__: loaded[split])
    result = relprop_command("train", "mnist-cnn", "--out", tmp_path, "--seed", 5, "--epochs", 2)
    assert result.exit_code == 0, result.output
    assert seen == {"name": "mnist-cnn", "split": "train", "test": "test", "seed": 5, "epochs": 2}
    weights = tmp_path / "mnist-cnn.safetensors"
    assert result.stdout == f"{weights}: accuracy 50.00% on the test split\n"


def test_a_misspelt_command_is_told_the_nearest_name():
    result = relprop_command("comare")
    assert result.exit_code == 2
    assert "there is no command 'comare'" in result.stderr
    assert 'to do:   write "compare"' in result.stderr


def test_version_and_help():
    assert relprop_command("--version").stdout == f"relprop, version {relprop.__version__}\n"
    help_text = relprop_command("demo", "--help").stdout
    for option in ("--model", "--digits", "--q", "--data-dir", "--out", "--seed", "--json"):
        assert option in help_text
