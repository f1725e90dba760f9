"""The page on feature selection, of small parts: its cells against the functions of the library."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import selection
import selection_data
import torch
from selection_page import RealRun, Runs, gain_of, read_runs, summary

from relprop.evaluate import bootstrap_mean
from relprop.use.selection import features


@pytest.mark.slow
def test_small_parts_make_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "_STEPS", 60)
    monkeypatch.setattr(features, "_LONGEST", 30)
    monkeypatch.setattr(selection, "INNER", 2)
    for name, size in (("ROWS", 80), ("COLUMNS", 24), ("TRUE", 10)):
        monkeypatch.setattr(selection_data, name, size)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 4))).assign(label=rng.integers(0, 2, 60))
    real = selection_data.RealData(
        "Made", (1, 3), 2, lambda data: selection_data.table(frame), ("RFE", "L1")
    )
    monkeypatch.setattr(selection, "rankers", few_methods)
    runs = (selection.run_real(real, tmp_path), selection.run_design("linear", 0))
    for number, run in enumerate(runs):
        (tmp_path / f"{number}.json").write_text(json.dumps(asdict(run)))
    found = read_runs(tmp_path)
    assert found == Runs([runs[0]], [runs[1]])
    selection.write(found, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    assert "### Made\n\n60 samples, 4 features, 2 outer folds." in text
    assert f"| linear | {runs[1].recall['relevance']:.2f} " in text
    assert json.loads((tmp_path / "page.json").read_text())["real"][0]["ks"] == [1, 3]


def few_methods(left_out=()):
    return {name: selection.RANKERS[name] for name in ("relevance", "mutual information")}


RUN = RealRun(
    name="Made",
    columns=5,
    ks=[2],
    outer=3,
    right={"relevance": ["1" * 40 + "0" * 10], "L1": ["1" * 25 + "0" * 25], "RFE": ["1" * 50]},
    whole="1" * 41 + "0" * 9,
    stable={"relevance": [0.75]},
    seconds=60.0,
)


def test_what_is_better_worse_and_neither_is_counted_by_the_intervals():
    text = summary(Runs([RUN], []))
    assert "Of 2 comparisons" in text
    assert "- Worse: Made, k = 2, RFE." in text
    assert "- Better: Made, k = 2, L1." in text


def test_a_gain_is_paired_by_sample():
    right = np.array([1.0] * 40 + [0.0] * 10)
    want = right - np.array([1.0] * 25 + [0.0] * 25)
    assert gain_of(RUN, "L1", 0) == bootstrap_mean(torch.tensor(want))
    assert gain_of(RUN, None, 0).mean == pytest.approx(-0.02)


@pytest.mark.parametrize("name", selection_data.DESIGNS)
def test_designs_have_ten_true_columns_in_a_random_order(name):
    dataset, true = selection_data.make_design(name, 3)
    assert dataset.samples.shape == (2000, 100)
    assert len(true) == 10
    assert set(true) != set(range(10))
    shares = np.bincount(dataset.target.values) / 2000
    assert shares.min() > 0.3


def test_the_sum_of_a_design_is_of_its_true_columns():
    dataset, true = selection_data.make_design("redundant copies", 1)
    x = dataset.samples.to_numpy()
    yes = dataset.target.values == dataset.target.names.index("yes")
    assert np.corrcoef(x[:, true].sum(1), yes)[0, 1] > 0.7
    others = np.setdiff1d(np.arange(100), true)
    copies = np.abs(np.corrcoef(x.T)[np.ix_(true, others)]).max(1)
    assert (copies > 0.94).all()
