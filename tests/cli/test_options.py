"""What the commands share: options of one meaning, completion in shells, exit codes, help."""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import relprop
from relprop.cli import main
from relprop.errors import NumberError
from relprop.evaluate import FILLS, SCORES
from relprop.models import shipped_models
from relprop.recipes.presets import PRESETS

HOME = str(Path(relprop.__file__).parents[1])
COMMANDS = sorted(main.commands)
OPTIONS = [
    (name, option)
    for name in COMMANDS
    for option in main.commands[name].params
    if isinstance(option, click.Option) and not option.hidden
]
OWN_DEFAULTS = ("--out", "--samples", "--batch-size", "--recipe")
SHARED = ("--data-dir", "--out", "--seed", "--json", "--quiet")


def named(flag: str) -> list[click.Option]:
    return [option for _, option in OPTIONS if flag in option.opts]


def default_of(option: click.Option) -> object:
    """Return a default; of an option that may be repeated, the one in the tuple."""
    several = isinstance(option.default, tuple) and option.default
    return option.default[0] if several else option.default


@pytest.mark.parametrize("flag", sorted({flag for _, option in OPTIONS for flag in option.opts}))
def test_an_option_of_one_name_means_the_same_in_every_command(flag):
    first, *others = named(flag)
    assert first.help
    for other in others:
        assert other.help == first.help
        assert type(other.type) is type(first.type)
        assert other.is_flag == first.is_flag
        defaults = [default_of(option) for option in (first, other)]
        if all(isinstance(default, (str, int, float, Path)) for default in defaults):
            assert type(defaults[0]) is type(defaults[1])
            assert defaults[0] == defaults[1] or flag in OWN_DEFAULTS


@pytest.mark.parametrize("command", COMMANDS)
def test_shared_options_come_in_one_order_and_quiet_is_the_last(command):
    flags = [option.opts[0] for name, option in OPTIONS if name == command]
    shared = [flag for flag in SHARED if flag in flags]
    assert sorted(shared, key=flags.index) == shared
    assert flags[-1] == "--quiet"


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits_the_terminal(command, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    result = CliRunner().invoke(main, ([command] if command else []) + ["--help"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert max(map(len, lines)) == width
    assert lines[1].startswith(" Usage: ")
    shown = [one for one in params_of(command) if not getattr(one, "hidden", False)]
    wanted = {option for one in shown for option in one.opts if option[:2] == "--"}
    assert {word for line in lines for word in line.split() if word in wanted} == wanted


def params_of(command: str | None) -> list[click.Parameter]:
    return (main.commands[command] if command else main).params


# ---- completion ----------------------------------------------------------------------------------


def completed(*words: str) -> list[str]:
    """Complete the last word by click's own variables, in a process, as bash does."""
    done = subprocess.run(
        [sys.executable, "-c", "from relprop.cli import main; main(prog_name='relprop')"],
        env={
            **os.environ,
            "PYTHONPATH": HOME,
            "_RELPROP_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("relprop", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
def test_names_are_completed():
    """One process for each: commands, presets, fills, scores, models of two kinds, files."""
    want = {
        ("ex",): ["explain"],
        ("explain", "--recipe", "epsilon-"): [n for n in PRESETS if n.startswith("epsilon-")],
        ("compare", "m", "--fill", "m"): [name for name in FILLS if name.startswith("m")],
    }
    for words, names in want.items():
        assert len(names) > 0
        assert completed(*words) == [f"plain,{name}" for name in names]


@pytest.mark.parametrize(
    ("command", "name", "start", "names"),
    [
        ("compare", "methods", "smooth", ["smoothgrad"]),
        ("compare", "score", "", list(SCORES)),
        ("compare", "models", "mnist", list(shipped_models())),
        ("demo", "model", "mnist-c", ["mnist-cnn"]),
        ("accuracy", "name", "mnist-c", ["mnist-cnn"]),
        ("explain", "model", "mnist-c", ["mnist-cnn"]),
        ("train", "name", "fashion-c", ["fashion-cnn"]),
    ],
)
def test_values_are_completed_by_their_names(command, name, start, names):
    one = main.commands[command]
    (parameter,) = (p for p in one.params if p.name == name)
    found = parameter.shell_complete(click.Context(one), start)
    assert [item.value for item in found] == names
    assert {item.type for item in found} == {"plain"}


def test_what_may_be_a_file_is_completed_as_one():
    one = main.commands["explain"]
    (parameter,) = (p for p in one.params if p.name == "recipe")
    (item,) = parameter.shell_complete(click.Context(one), "my/rec")
    assert (item.type, item.value) == ("file", "my/rec")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_script_of_the_help_is_one_that_bash_takes():
    help_text = CliRunner().invoke(main, ["--help"]).output
    assert 'eval "$(_RELPROP_COMPLETE=bash_source relprop)"' in help_text
    script = CliRunner().invoke(
        main, [], prog_name="relprop", env={"_RELPROP_COMPLETE": "bash_source"}
    )
    assert "_RELPROP_COMPLETE=bash_complete" in script.output
    run = "\ncomplete -p relprop"
    done = subprocess.run(
        ["bash", "-c", script.output + run], capture_output=True, text=True, check=True
    )
    assert "relprop" in done.stdout


# ---- exit codes ----------------------------------------------------------------------------------

NEEDED = {
    "accuracy": ["mnist-cnn"],
    "compare": ["mnist-cnn"],
    "compare-models": ["a.csv", "--models", "mlp"],
    "fit": ["a.csv"],
    "select": ["a.csv"],
    "tune": ["mnist-cnn", "a.csv"],
    "prune": ["mnist-cnn", "a.csv"],
    "report": ["bundle"],
    "train": ["mnist-cnn"],
}
WORK = {
    "accuracy": "relprop.data.find_digits",
    "compare": "relprop.compare.output.compare_into",
    "compare-models": "relprop.compare_models.run.compare_models",
    "demo": "relprop.demo.run.run_demo",
    "explain": "relprop.report.run.run_report",
    "fit": "relprop.search.run.run_fit",
    "select": "relprop.data.read.read_dataset",
    "tune": "relprop.tuning.run.run_tuning",
    "prune": "relprop.report.class_samples.read_class_samples",
    "report": "relprop.bundles.bundle.load",
    "train": "relprop.data.load_digits",
}


def arguments(command: str, tmp_path: Path) -> list[str]:
    """Write a call of a command that begins its work."""
    out = [] if command == "accuracy" else ["--out", str(tmp_path / "out")]
    (tmp_path / "a.csv").write_text("a\n1\n")
    data = [str(tmp_path / "a.csv"), "--model", "mnist-cnn"] if command == "explain" else []
    return [command, *NEEDED.get(command, data), *out, "--quiet"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (OSError(28, "No space left on device"), 1),
        (NumberError("a NaN", "finite numbers", "look at the model"), 1),
        (KeyboardInterrupt(), 1),
        (relprop.errors.InputError("a", "b", "c"), 2),
    ],
    ids=["help", "system", "number", "ctrl-c", "input"],
)
def test_exit_codes_are_those_of_every_command(command, error, code, tmp_path, monkeypatch):
    def work(*_, **__):
        raise error

    call = [command, "--help"]
    if error is not None:
        module, name = WORK[command].rsplit(".", 1)
        monkeypatch.setattr(import_module(module), name, work)
        call = arguments(command, tmp_path)
    result = CliRunner().invoke(main, call)
    assert result.exit_code == code, result.output
    assert code == 0 or result.stdout == ""


@pytest.mark.parametrize("command", [*COMMANDS, "explian"])
def test_a_wrong_option_or_command_is_a_usage_error(command):
    result = CliRunner().invoke(main, [command, "--nothing"])
    assert result.exit_code == 2
    assert "--nothing" in result.stderr or '"explain"' in result.stderr
