"""Running a comparison: its numbers against the library's functions, stopping and continuing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.comparison import COUNT, FILES, METHODS, MODEL, relprop_command
from helpers.idx_files import write_digits
from safetensors.torch import load_file

import relprop
from relprop.compare import Settings, compare
from relprop.errors import FileError
from relprop.evaluate import classification_summary, paired_test, removal_curves

HOME = str(Path(relprop.__file__).parents[1])  # of the package that is tested


@pytest.fixture(scope="module")
def by_hand(digits):
    """The curves of fill zero by the functions of the library, all digits at once.

    Blank pixels are removed in another order here, which changes no image.
    """
    model, x = relprop.load_model(MODEL), digits.images
    gamma = relprop.Recipe.preset("gamma", gamma=0.5)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf).amax(1).sum(), leaf)
    maps = {METHODS[0]: gradient * x, METHODS[1]: relprop.explain(model, x, gamma).relevance}
    return removal_curves(model, x, maps, steps=(24, 157, 314, 470, 627, 784))


@pytest.mark.parametrize("number", [0, 1])
def test_a_method_has_the_curves_gains_and_error_rates_that_the_functions_give(
    comparison, by_hand, digits, number
):
    result, expected = comparison.results[0].methods[number], by_hand[METHODS[number]]
    assert result.method == METHODS[number]
    for order in ("morf", "lerf"):
        got, curve = getattr(result, order), getattr(expected, order)
        heights = curve.scores.mean(0)[[0, 2, 3, 4, 5, 6]]  # 3 % is for the error rate alone
        assert got.curve == pytest.approx(heights.tolist(), abs=1e-5)
        for q, summary in zip((0.2, 0.03), got.summaries, strict=True):
            direct = classification_summary(curve.at(q), digits.labels)
            assert summary.error_rate == direct.error_rate
            assert summary.correct.largest == pytest.approx(direct.correct.largest, abs=1e-5)
            assert summary.wrong.mean == pytest.approx(direct.wrong.mean, abs=1e-4)
    areas = five_steps(expected.lerf) - five_steps(expected.morf)
    assert result.faithfulness.srg.mean == pytest.approx(float(areas.mean()), abs=1e-5)
    assert result.faithfulness.srg.n == COUNT
    assert result.tied_pixels == pytest.approx(float(expected.morf.ties.double().mean()), abs=0.1)


def five_steps(curve):
    """The areas under the steps without the one of 3 %, by trapezoids of 157 or 156 pixels."""
    scores = curve.scores[:, [0, 2, 3, 4, 5, 6]].double()
    widths = torch.tensor([157, 157, 156, 157, 157]) / 784
    return ((scores[:, 1:] + scores[:, :-1]) / 2 * widths).sum(1)


def test_every_method_is_tested_against_the_one_with_the_largest_gain(comparison, by_hand):
    areas = {
        name: five_steps(by_hand[name].lerf) - five_steps(by_hand[name].morf) for name in METHODS
    }
    best, other = sorted(METHODS, key=lambda name: -float(areas[name].mean()))
    results = {result.method: result for result in comparison.results[0].methods}
    assert comparison.results[0].best is results[best]
    expected = paired_test(areas[best], areas[other])
    got = results[other].against_best
    assert got.difference.mean == pytest.approx(expected.difference.mean, abs=1e-5)
    assert got.p_value == pytest.approx(expected.p_value, abs=0.01)


def test_a_fill_uses_all_digits_and_not_those_of_a_block(comparison, digits):
    """With everything removed every image is the mean of all, whose probabilities are known."""
    mean = digits.images.mean().expand(1, 1, 28, 28)
    model = relprop.load_model(MODEL)
    with torch.no_grad():
        classes = model(digits.images).argmax(1)
        expected = float(model(mean).softmax(1)[0][classes].mean())
    result = comparison.results[1]
    assert result.fill == "mean"
    assert result.random.curve[-1] == pytest.approx(expected, abs=1e-6)


def test_digits_of_different_blocks_have_different_random_orders(digits, tmp_path):
    """The last digits are the first ones again: only what is drawn for them differs."""
    images = torch.cat([digits.images[:250], digits.images[:7]])
    write_digits(tmp_path / "mnist", replace(digits, images=images))
    settings = Settings((MODEL,), METHODS[:1], digits=None, steps=4, data_dir=tmp_path)
    compare(settings, tmp_path / "out")
    first, last = sorted((tmp_path / "out" / "blocks").iterdir())
    first, last = (load_file(block) for block in (first, last))
    name = f"zero/morf/{METHODS[0]}/scores"
    torch.testing.assert_close(first[name][:7], last[name], atol=1e-5, rtol=0)
    name = "zero/random/scores"
    assert (first[name][:7] - last[name]).abs().max() > 0.01


# ---- stopping and continuing -------------------------------------------------------------


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


@pytest.mark.slow
def test_a_killed_run_continues_and_gives_the_same_bytes(data, tmp_path):
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
    ("changed", "message"),
    [
        ({"seed": 1}, "seed 0; this one has seed 1"),
        ({"digits": 255}, 'digits {"mnist": 257}'),
        ({"methods": METHODS[::-1]}, 'methods ["gradient-x-input", "gamma:gamma=0.5"]'),
        ({"models": ("mnist-dnn-500",)}, "mnist-dnn-500"),
    ],
)
def test_a_folder_of_other_settings_is_refused(folder, settings, changed, message):
    with pytest.raises(FileError) as caught:
        compare(replace(settings, **changed), folder)
    assert message in caught.value.given
    assert caught.value.todo == "give another folder with --out, or delete this one"


def test_other_images_under_the_same_name_are_refused(folder, settings, digits, tmp_path):
    write_digits(tmp_path / "mnist", replace(digits, images=digits.images.flip(3)))
    with pytest.raises(FileError, match="hashes"):
        compare(replace(settings, data_dir=tmp_path), folder)


def test_blocks_that_were_swapped_or_changed_are_computed_again(
    folder, settings, comparison, tmp_path, capsys
):
    """The results are those of the whole run, and blocks that nobody touched are left alone."""
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    first, last = sorted((out / "blocks").iterdir())
    content = last.read_bytes()
    last.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    before = first.stat().st_mtime_ns
    assert compare(settings, out, progress=True) == comparison
    assert f"Block {last.stem} was changed or is damaged" in capsys.readouterr().err
    assert (first.stat().st_mtime_ns, last.read_bytes()) == (before, content)
    first.write_bytes(content)
    last.write_bytes((folder / "blocks" / first.name).read_bytes())
    assert compare(settings, out) == comparison
    assert last.read_bytes() == content
