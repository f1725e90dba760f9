"""Removal curves as figures and as CSV."""

import csv

import numpy as np
import pytest
import torch
from torch import nn

from relprop.errors import InputError
from relprop.evaluate import bootstrap_mean, plot_curves, removal_curve, removal_curves


@pytest.fixture(scope="module")
def curves():
    torch.manual_seed(0)
    model, x = nn.Linear(6, 3).eval(), torch.rand(20, 6)
    return removal_curves(model, x, {"input": x, "noise": torch.rand(20, 6)}, steps=3)


def test_a_panel_for_each_method_with_the_mean_of_each_curve(curves):
    figure = plot_curves(curves)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["input", "noise"]
    for axes, three in zip(figure.axes, curves.values(), strict=True):
        listed = [three.morf, three.lerf, three.random]
        for line, band, curve in zip(axes.lines, axes.collections, listed, strict=True):
            np.testing.assert_allclose(line.get_xdata(), 100 * curve.shares[0], rtol=1e-6)
            np.testing.assert_allclose(line.get_ydata(), curve.scores.mean(0), rtol=1e-6)
            interval = bootstrap_mean(curve.scores[:, 1].double()).interval
            drawn = band.get_paths()[0].vertices[:, 1]
            assert np.isclose(drawn, interval.low, rtol=1e-2).any()
            assert np.isclose(drawn, interval.high, rtol=1e-2).any()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["most relevant first", "least relevant first", "random order"]


def test_curves_are_told_apart_without_their_colours(curves):
    lines = curves["input"].plot().axes[0].lines
    assert len({line.get_linestyle() for line in lines}) == 3
    assert len({line.get_marker() for line in lines}) == 3


def test_many_methods_are_drawn_in_rows_of_three(curves):
    four = {str(i): curves["noise"] for i in range(4)}
    figure = plot_curves(four)
    assert [axes.get_title(loc="left") for axes in figure.axes] == list("0123")
    figure.draw_without_rendering()
    tops = [round(axes.get_position().y1, 2) for axes in figure.axes]
    assert tops[0] == tops[1] == tops[2] > tops[3]
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["probability, mean of 20", "", "", "probability, mean of 20"]


def test_one_method_and_one_curve(curves):
    assert len(curves["input"].plot().axes[0].lines) == 3
    figure = curves["input"].lerf.plot()
    assert len(figure.axes[0].lines) == 1
    assert figure.axes[0].get_ylabel() == "probability, mean of 20"
    assert figure.axes[0].get_xlabel() == "removed (%), fill zero"


def test_a_single_sample_has_no_band():
    x = torch.rand(1, 4)
    figure = removal_curve(lambda x: x.sum(1), x, x, score=lambda y: y, steps=2).plot()
    assert not figure.axes[0].collections


def test_no_curves_are_refused():
    with pytest.raises(InputError, match="no curves"):
        plot_curves({})


def test_a_table_has_a_row_for_each_sample_and_step(curves, tmp_path):
    curve = curves["input"].morf
    curve.to_csv(tmp_path / "curve.csv")
    with (tmp_path / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 * 4
    assert list(rows[0]) == ["sample", "removed", "share", "score", "prediction"]
    row = rows[4 * 7 + 2]
    assert (row["sample"], row["removed"]) == ("7", "4")
    assert float(row["share"]) == pytest.approx(4 / 6, rel=1e-6)
    assert float(row["score"]) == float(curve.scores[7, 2])
    assert int(row["prediction"]) == int(curve.predictions.prediction[7, 2])


def test_without_classes_the_prediction_is_empty(tmp_path):
    x = torch.rand(2, 4)
    curve = removal_curve(lambda x: x.sum(1), x, x, score=lambda y: y, steps=2)
    curve.to_csv(tmp_path / "curve.csv")
    lines = (tmp_path / "curve.csv").read_text().splitlines()
    assert lines[1] == f"0,0,0.0,{float(curve.scores[0, 0])!r},"
