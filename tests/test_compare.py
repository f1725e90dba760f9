"""Comparisons: their numbers against what they stand for, stopping and going on, bad input."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from helpers.idx_files import write_digits
from safetensors.torch import load_file

import relprop
from relprop.cli import main
from relprop.compare import Settings, compare
from relprop.compare.figure import curves_figure
from relprop.compare.lines import to_csv
from relprop.compare.wording import tables
from relprop.data import first_digits, packaged_digits
from relprop.errors import FileError, InputError
from relprop.evaluate import paired_test, predict, removal_curves
from relprop.evaluate.statistics.classification import classification_summary
from relprop.models.checkpoint import model_card, save_model

HOME = str(Path(relprop.__file__).parents[1])  # of the package that is tested
COUNT = 257  # a block of 250, and a second one with another mean
MODEL, METHODS = "mnist-dnn-300-100", ("gradient-x-input", "gamma:gamma=0.5")
FILES = ("results.json", "results.csv", "curves.png")


@pytest.fixture(scope="module")
def digits():
    found = first_digits(packaged_digits(), COUNT)
    images = (found.images * 255).round() / 255
    images[250:] = (images[250:] * 127).round() / 255 + 128 / 255  # on grey
    return replace(found, images=images)


@pytest.fixture(scope="module")
def data(tmp_path_factory, digits):
    """A data folder with the first packaged digits as the test digits of both families."""
    home = tmp_path_factory.mktemp("data")
    for family in ("mnist", "fashion-mnist"):
        write_digits(home / family, digits)
    return home


@pytest.fixture(scope="module")
def settings(data):
    return Settings(
        *((MODEL,), METHODS, ("zero", "mean")), digits=None, steps=5, q=(0.2, 0.03), data_dir=data
    )


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    return compare(settings, out), out


def relprop_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


# ---- numbers ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_hand(digits):
    """The curves of fill zero by the functions of the library, all digits at once.

    Blank pixels go in another order here, which changes no picture.
    """
    model, x = relprop.load_model(MODEL), digits.images
    gamma = relprop.Recipe.preset("gamma", gamma=0.5)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    maps = {METHODS[0]: gradient * x, METHODS[1]: relprop.explain(model, x, gamma).relevance}
    return removal_curves(model, x, maps, steps=(24, 157, 314, 470, 627, 784))


@pytest.mark.parametrize("number", [0, 1])
def test_a_method_has_the_curves_gains_and_readings_of_the_functions_it_stands_for(
    run, by_hand, digits, number
):
    found, expected = run[0].cases[0].methods[number], by_hand[METHODS[number]]
    assert found.method == METHODS[number]
    for order in ("morf", "lerf"):
        got, curve = getattr(found, order), getattr(expected, order)
        heights = curve.scores.mean(0)[[0, 2, 3, 4, 5, 6]]  # 3 % is for readings alone
        assert got.curve == pytest.approx(heights.tolist(), abs=1e-5)
        for q, one in zip((0.2, 0.03), got.cells, strict=True):
            by_functions = classification_summary(curve.at(q), digits.labels)
            assert one.error_rate == by_functions.error_rate
            assert one.correct.largest == pytest.approx(by_functions.correct.largest, abs=1e-5)
            assert one.wrong.mean == pytest.approx(by_functions.wrong.mean, abs=1e-4)
    areas = five_steps(expected.lerf) - five_steps(expected.morf)
    assert found.faithfulness.srg.mean == pytest.approx(float(areas.mean()), abs=1e-5)
    assert found.faithfulness.srg.n == COUNT
    assert found.tied == pytest.approx(float(expected.morf.ties.double().mean()), abs=0.1)


def five_steps(curve):
    """The areas under the steps without the one of 3 %, by trapezoids of 157 or 156 pixels."""
    scores = curve.scores[:, [0, 2, 3, 4, 5, 6]].double()
    widths = torch.tensor([157, 157, 156, 157, 157]) / 784
    return ((scores[:, 1:] + scores[:, :-1]) / 2 * widths).sum(1)


def test_every_method_is_tested_against_the_one_with_the_largest_gain(run, by_hand):
    areas = {
        name: five_steps(by_hand[name].lerf) - five_steps(by_hand[name].morf) for name in METHODS
    }
    best, other = sorted(METHODS, key=lambda name: -float(areas[name].mean()))
    results = {one.method: one for one in run[0].cases[0].methods}
    assert run[0].cases[0].best is results[best]
    expected = paired_test(areas[best], areas[other])
    got = results[other].against_best
    assert got.difference.mean == pytest.approx(expected.difference.mean, abs=1e-5)
    assert got.p_value == pytest.approx(expected.p_value, abs=0.01)


def test_a_fill_looks_at_all_digits_and_not_at_those_of_a_block(run, digits):
    """With everything gone every picture is the mean of all; what is read of it is known."""
    mean = digits.images.mean().expand(1, 1, 28, 28)
    model = relprop.load_model(MODEL)
    with torch.no_grad():
        classes = model(digits.images).argmax(1)
        expected = float(model(mean).softmax(1)[0][classes].mean())
    case = run[0].cases[1]
    assert case.fill == "mean"
    assert case.random.curve[-1] == pytest.approx(expected, abs=1e-6)


def saved(folder, family):
    """The model of the other tests as somebody's own file, made for this data set."""
    card = replace(model_card(MODEL), name="own", family=family)
    save_model(relprop.load_model(MODEL), folder / "own.safetensors", card)
    return str(folder / "own.safetensors")


def test_each_model_is_asked_the_images_that_its_card_names(digits, tmp_path):
    own = saved(tmp_path, "fashion-mnist")
    dark = replace(digits, images=digits.images[:40] / 2, labels=digits.labels[:40])
    for family, some in (("mnist", digits), ("fashion-mnist", dark)):
        write_digits(tmp_path / family, some)
    asked = Settings((own, MODEL), METHODS, digits=None, steps=2, data_dir=tmp_path)
    found = compare(asked, tmp_path / "out")
    first, second = found.cases
    model = relprop.load_model(MODEL)
    for case, family, some in ((first, "fashion-mnist", dark), (second, "mnist", digits)):
        assert case.data == family
        expected = classification_summary(predict(model, some.images), some.labels)
        assert case.untouched.error_rate == expected.error_rate
        assert case.untouched.correct.mean == pytest.approx(expected.correct.mean, abs=1e-5)
        assert case.best.faithfulness.srg.n == len(some.labels)
    assert [(one.name, one.used, one.available) for one in found.data] == [
        ("fashion-mnist", 40, 40),
        ("mnist", COUNT, COUNT),
    ]
    assert "40 of 40: Fashion-MNIST test split" in " ".join(tables(found).split())


def test_a_model_that_does_not_say_what_it_reads_needs_the_data_named(data, tmp_path):
    own = saved(tmp_path, "")
    settings = Settings((own,), METHODS[:1], digits=2, steps=2, data_dir=data)
    with pytest.raises(InputError, match=r"own\.safetensors, whose card has no family") as caught:
        compare(settings, tmp_path / "out")
    assert caught.value.todo == "write --data mnist or --data fashion-mnist"
    assert compare(replace(settings, data="mnist"), tmp_path / "out").cases[0].data == "mnist"


def test_digits_of_different_blocks_have_different_random_orders(digits, tmp_path):
    """The last digits are the first ones again: only what is drawn for them differs."""
    images = torch.cat([digits.images[:250], digits.images[:7]])
    write_digits(tmp_path / "mnist", replace(digits, images=images))
    settings = Settings((MODEL,), METHODS[:1], digits=None, steps=4, data_dir=tmp_path)
    compare(settings, tmp_path / "out")
    first, last = sorted((tmp_path / "out" / "blocks").iterdir())
    first, last = (load_file(one) for one in (first, last))
    name = f"zero/morf/{METHODS[0]}/scores"
    torch.testing.assert_close(first[name][:7], last[name], atol=1e-5, rtol=0)
    name = "zero/random/scores"
    assert (first[name][:7] - last[name]).abs().max() > 0.01


def test_the_csv_has_the_numbers_of_the_records(run):
    rows = list(csv.DictReader(to_csv(run[0]).splitlines()))
    case = run[0].cases[1]
    result = case.methods[1]
    here = [row for row in rows if (row["fill"], row["method"]) == ("mean", METHODS[1])]
    (srg,) = (row for row in here if row["measure"] == "srg")
    ends = result.faithfulness.srg.interval
    expected = (result.faithfulness.srg.mean, ends.low, ends.high)
    assert tuple(float(srg[key]) for key in ("value", "low", "high")) == expected
    curve = [row for row in here if (row["order"], row["measure"]) == ("lerf", "score")]
    assert tuple(float(row["value"]) for row in curve) == result.lerf.curve
    assert tuple(float(row["share"]) for row in curve) == run[0].shares
    (strongest,) = (
        row
        for row in here
        if (row["order"], row["measure"], row["share"]) == ("morf", "strongest_incorrect", "0.03")
    )
    assert float(strongest["value"]) == result.morf.cells[1].wrong.largest


def test_the_figure_draws_the_mean_curves(run):
    figure = curves_figure(run[0])
    assert len(figure.axes) == 2  # a model, two fills
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    case = run[0].cases[1]
    assert tuple(lines[METHODS[1]].get_ydata()) == case.methods[1].morf.curve
    assert tuple(lines["random order"].get_ydata()) == case.random.curve
    assert list(lines[METHODS[1]].get_xdata()) == [100 * share for share in run[0].shares]


def test_the_tables_name_the_best_first_and_show_every_q(run):
    text = tables(run[0]).splitlines()
    case = run[0].cases[0]
    first = text[text.index(next(line for line in text if "SRG" in line)) + 1]
    assert first.startswith(case.best.method)
    assert str(case.best.faithfulness.srg) in first
    assert first.endswith("best")
    start = text.index(f"{MODEL}, fill zero: 3% of pixels removed, and margins")
    row = next(line for line in text[start:] if line.startswith(METHODS[1]))
    one = case.methods[1].morf.cells[1]
    assert f"{one.error_rate.value:.1%}" in row
    assert f"{one.wrong.largest:.5f}" in row


# ---- stopping and going on -------------------------------------------------------------


KILLED = """
import os, signal, sys
from relprop.cli import main

move = os.replace
def replace(source, target):
    if "model-1-digit-0" in str(target):  # written, and not yet in its place
        os.kill(os.getpid(), signal.SIGKILL)
    move(source, target)

os.replace = replace
main(sys.argv[1:])
"""


def command(data, out):
    names = (MODEL, "mnist-dnn-500", "--method", "gamma", "--fill", "uniform", "--fill", "marginal")
    options = ("--digits", "all", "--steps", 3, "--seed", 5, "--quiet")
    return ("compare", *names, *options, "--data-dir", data, "--out", out)


def test_a_run_that_was_killed_goes_on_and_gives_the_same_bytes(data, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    line = [sys.executable, "-c", KILLED, *map(str, command(data, killed))]
    job = subprocess.run(line, env={**os.environ, "PYTHONPATH": HOME}, timeout=240, check=False)
    assert job.returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in (killed / "blocks").glob("model*")}
    assert [path.stem for path in sorted(before)] == ["model-0-digit-0", "model-0-digit-250"]
    assert not (killed / "results.json").exists()
    for out in (killed, whole):
        assert relprop_command(*command(data, out)).exit_code == 0
    assert len(list((killed / "blocks").glob("model*"))) == 4
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing is done twice
    for name in FILES:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert json.loads((whole / "results.json").read_text())["settings"]["seed"] == 5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 1}, "seed 0; this one has seed 1"),
        ({"digits": 255}, 'digits {"mnist": 257}'),
        ({"methods": METHODS[::-1]}, 'methods ["gradient-x-input", "gamma:gamma=0.5"]'),
        ({"models": ("mnist-dnn-500",)}, "mnist-dnn-500"),
    ],
)
def test_a_folder_of_other_settings_is_refused(run, settings, changed, said):
    with pytest.raises(FileError) as caught:
        compare(replace(settings, **changed), run[1])
    assert said in caught.value.given
    assert caught.value.todo == "give another folder with --out, or delete this one"


def test_other_pictures_under_the_same_name_are_refused(run, settings, digits, tmp_path):
    write_digits(tmp_path / "mnist", replace(digits, images=digits.images.flip(3)))
    with pytest.raises(FileError, match="hashes"):
        compare(replace(settings, data_dir=tmp_path), run[1])


def test_a_folder_of_something_else_is_refused_and_left_alone(settings, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="is no folder of a comparison"):
        compare(settings, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_damaged_block_is_named(settings, tmp_path):
    few = replace(settings, digits=2, fills=("zero",))
    compare(few, tmp_path / "out")
    (block,) = (tmp_path / "out" / "blocks").iterdir()
    block.write_bytes(block.read_bytes()[:-5])
    with pytest.raises(FileError, match=block.name) as caught:
        compare(few, tmp_path / "out")
    assert caught.value.todo == "delete this file and run the same command again"


# ---- the command -----------------------------------------------------------------------


def test_json_is_all_there_is_on_stdout(data, tmp_path):
    options = ("--digits", 3, "--steps", 2, "--method", "epsilon", "--data", "fashion-mnist")
    out = tmp_path / "out"
    got = relprop_command(
        *("compare", MODEL, *options, "--data-dir", data, "--out", out, "--json", "--quiet")
    )
    assert got.exit_code == 0, got.output
    assert got.stderr == ""
    assert got.stdout == (out / "results.json").read_text()
    (asked,) = json.loads(got.stdout)["data"]
    assert asked["name"] == "fashion-mnist"
    assert "Fashion-MNIST" in asked["source"]
    assert {path.name for path in out.iterdir()} == {*FILES, "settings.json", "blocks"}


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--method", "epsilo"), "unknown method 'epsilo'"),
        (("--method", "epsilon:gamma=1"), "was given the parameter 'gamma'"),
        (("--method", "epsilon:epsilon=much"), "'epsilon=much' in the method"),
        (("--method", "epsilon:epsilon=Infinity"), "'epsilon=Infinity' in the method"),
        (("--method", "smoothgrad:samples=0"), "samples=0 in 'smoothgrad:samples=0'"),
        (("--method", "smoothgrad:samples=1.5"), "samples=1.5 in 'smoothgrad:samples=1.5'"),
        (("--method", "gamma", "--method", "gamma"), "methods: gamma, gamma"),
        (("--fill", "black"), "fill='black'"),
        (("--score", "loss"), "score='loss'"),
        (("--data", "cifar"), "data='cifar'"),
        (("--q", 0, "--digits", 5), "q = 0, the share of the 784 features to remove"),
        (("--steps", 785, "--digits", 5), "steps=785"),
        (("--digits", COUNT + 1), f"{COUNT + 1} digits to use"),
        (("nothing",), "there is no model named 'nothing'"),
    ],
)
def test_bad_input_is_an_error_in_three_parts_and_leaves_nothing(options, given, data, tmp_path):
    out = tmp_path / "out"
    got = relprop_command("compare", MODEL, "--data-dir", data, "--out", out, *options, "--quiet")
    assert got.exit_code == 2
    assert got.stdout == ""
    assert given in got.stderr
    assert "\n  allowed: " in got.stderr
    assert "\n  to do:   " in got.stderr
    assert not out.exists()
