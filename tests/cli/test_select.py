"""The command `relprop select`: what it writes, what `relprop fit` takes of it, what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from helpers.small_fits import QUICK

from relprop.bundles.bundle import load
from relprop.cli import main
from relprop.use.selection import features
from relprop.use.selection import run as run_module


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """Train few networks for few steps."""
    monkeypatch.setattr(features, "_STEPS", 60)
    monkeypatch.setattr(features, "_LONGEST", 30)
    for name in ("FOLDS", "OUTER", "INNER"):
        monkeypatch.setattr(run_module, name, 2)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table whose answer follows from two of its columns."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 4)), columns=["left", "no", 'a "word", so', "none"])
    frame["right"] = rng.choice(["high", "low"], 200)
    score = frame["left"] + np.where(frame["right"] == "high", 1.0, -1.0)
    frame["answer"] = np.where(score > 0, "yes", "<no>")
    path = tmp_path_factory.mktemp("data") / "made table.csv"
    frame.to_csv(path, index=False)
    return path


def run(*options):
    return CliRunner().invoke(main, ["select", *map(str, options)])


@pytest.mark.slow
def test_columns_that_decide_are_kept_and_fit_takes_what_is_written(table, tmp_path):
    out = tmp_path / "out"
    done = run(table, "--k", "2,1", "--against", "L1", "--drop", "none", "--out", out)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        *("selection.html", "selection.json", "ranking.csv", "kept.txt", "fit.toml")
    }
    assert set((out / "kept.txt").read_text().splitlines()) == {"left", "right"}
    ranking = pd.read_csv(out / "ranking.csv")
    assert set(ranking["feature"][:2]) == {"left", "right"}
    assert ranking["importance"].sum() == pytest.approx(1)
    assert f"relprop fit '{table}' --config {out / 'fit.toml'}" in done.stdout
    numbers = json.loads((out / "selection.json").read_text())
    assert numbers["k"] == 2
    assert numbers["of_samples"] < 200  # without the test part
    found = {(one["method"], one["k"]): one for one in numbers["accuracy"]}
    assert found.keys() == {(name, k) for name in ("relevance", "L1") for k in (1, 2)}
    assert f"{found['relevance', 2]['score']['mean']:.4f} [" in done.stdout
    page = (out / "selection.html").read_text()
    assert "&lt;no&gt;" in page
    assert "<no>" not in page
    assert "accuracy over k" in page
    config = out / "fit.toml"
    space = "".join(f"{name} = {json.dumps(value)}\n" for name, value in QUICK.items())
    config.write_text(f'{config.read_text()}[space]\nfamilies = ["mlp"]\n[space.mlp]\n{space}')
    bundle = tmp_path / "bundle"
    options = ["--trials", 1, "--budget", "20h", "--out", bundle, "--config", config, "--quiet"]
    fitted = CliRunner().invoke(main, ["fit", str(table), *map(str, options)])
    assert fitted.exit_code == 0, fitted.output
    assert load(bundle).preparation.kinds == {"left": "number", "right": "category"}


@pytest.mark.slow
def test_json_is_all_that_is_printed_and_an_earlier_folder_is_replaced(table, tmp_path):
    out = tmp_path / "out"
    options = ("--k", 1, "--against", "", "--out", out, "--quiet", "--json")
    first = run(table, *options)
    assert json.loads(first.stdout) == json.loads((out / "selection.json").read_text())
    assert run(table, *options).stdout == first.stdout  # the same seed, the same folder


def test_pixels_that_decide_are_kept(tmp_path):
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (240, 4, 4)).astype(np.uint8)
    np.savez(tmp_path / "p.npz", x=pictures, y=(pictures[:, 1, 2] > 127).astype(int))
    out = tmp_path / "out"
    done = run(tmp_path / "p.npz", "--modality", "picture", "--k", 1, "--out", out, "--against", "")
    assert done.exit_code == 0, done.output
    assert (out / "kept.txt").read_text() == "row 1 column 2\n"
    assert "Ranked first: row 1 column 2, row" in done.stderr
    assert not (out / "fit.toml").exists()
    assert "1 of 16 pixels are kept" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--k", "9"), "k is 9\n  allowed: a whole number from 1 to 5, the number of columns"),
        (("--k", "0"), "write --k 2"),
        (("--k", "1.5"), "k is 1.5\n"),
        (("--k", "few"), "numbers with commas"),
        (("--target", "missing"), "'missing'"),
        (("--against", "lasso"), "lasso"),
        (("--drop", "left,no,right,none"), "one column alone"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_written(
    table, tmp_path, options, said
):
    done = run(table, *options, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr
    assert "allowed: " in done.stderr
    assert "to do: " in done.stderr
    assert not (tmp_path / "out").exists()


def test_one_class_and_too_few_samples_are_refused(tmp_path):
    rng = np.random.default_rng(2)
    for rows, label, said in ((40, "same", "one class alone"), (20, None, "18 at least")):
        frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"))
        frame["y"] = label or np.where(frame["a"] > 0, "p", "q")
        frame.to_csv(tmp_path / f"{rows}.csv", index=False)
        done = run(tmp_path / f"{rows}.csv", "--target", "y", "--out", tmp_path / "out")
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_a_folder_of_others_is_not_overwritten(table, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = run(table, "--out", tmp_path)
    assert done.exit_code == 2
    assert "holds files that no selection wrote" in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_words_that_decide_are_kept(tmp_path):
    rng = np.random.default_rng(3)
    filler = [f"w{i}" for i in range(20)]
    for name, decides in (("good", ["superb", "witty"]), ("bad", ["dreadful", "clumsy"])):
        lines = [" ".join([*rng.choice(filler, 6), rng.choice(decides)]) for _ in range(80)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    frame = pd.DataFrame(
        [
            (line, name)
            for name in ("good", "bad")
            for line in (tmp_path / f"{name}.txt").read_text().splitlines()
        ],
        columns=["text", "verdict"],
    )
    frame.to_csv(tmp_path / "texts.csv", index=False)
    options = ("--modality", "text", "--target", "verdict", "--k", 4, "--against", "")
    done = run(tmp_path / "texts.csv", *options, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    kept = set((tmp_path / "out" / "kept.txt").read_text().splitlines())
    assert kept == {"superb", "witty", "dreadful", "clumsy"}
    assert not (tmp_path / "out" / "fit.toml").exists()
    assert "words are kept" in done.stdout
