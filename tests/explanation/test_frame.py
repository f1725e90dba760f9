"""Relevance by columns, with names that are given or that the explanation has."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import relprop
from relprop.errors import InputError

GROUPS = {"job": ["job=cook", "job=clerk"]}
NAMES = ("age", "job=cook", "job=clerk")


@pytest.fixture
def e():
    model = nn.Linear(3, 2, bias=False).eval()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]))
    return relprop.explain(model, torch.tensor([[3.0, 1.0, 0.0], [2.0, 0.0, 1.0]]), target=0)


def test_a_frame_has_a_row_for_each_sample_and_sums_groups(e):
    frame = e.to_frame(feature_names=NAMES, groups=GROUPS)
    assert list(frame.columns) == ["age", "job"]
    assert frame.to_numpy() == pytest.approx(np.array([[3.0, 2.0], [2.0, 4.0]]))
    assert list(e.to_frame().columns) == ["0", "1", "2"]


def test_names_that_an_explanation_has_hold_unless_others_are_given(e):
    named = replace(e, naming={"feature_names": NAMES, "groups": GROUPS})
    assert list(named.to_frame().columns) == ["age", "job"]
    assert list(named.to_frame(groups={}).columns) == list(NAMES)
    assert {one.name for one in named.overall().features} == {"age", "job"}
    assert {one.name for one in relprop.overall_importance([named]).features} == {"age", "job"}


def test_figures_and_pages_use_names_and_values_that_an_explanation_has(e, tmp_path):
    naming = {
        "class_names": ("yes", "no"),
        "feature_names": NAMES,
        "groups": GROUPS,
        "values": ({"age": "30 years"}, {"age": "20 years"}),
    }
    named = replace(e, naming=naming)
    axes = named.plot([1]).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["job = clerk", "age = 20 years"]
    assert "explained: yes" in axes.get_title(loc="left")
    named.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "age = 30 years" in page
    assert "age = 20 years" in page


def test_names_are_saved(e, tmp_path):
    replace(e, naming={"feature_names": NAMES}).save(tmp_path / "e.npz")
    assert relprop.Explanation.load(tmp_path / "e.npz").naming == {"feature_names": NAMES}


def test_values_for_fewer_samples_and_several_targets_are_refused(e):
    with pytest.raises(InputError, match="no values for sample 1: a list of length 1"):
        e.plot(values=[{"age": "30"}])
    several = relprop.explain(nn.Linear(3, 2).eval(), torch.ones(1, 3), target=[0, 1])
    with pytest.raises(InputError, match="a frame of 2 targets"):
        several.to_frame()
