"""The figures: colours of images, and the numbers that are drawn."""

import torch

from relprop.demo.figures import curves_figure, error_rates_figure, image_colours
from relprop.demo.grids import GridImage


def test_every_digit_is_shown_on_the_same_scale_and_each_heatmap_on_its_own():
    dim = torch.tensor([[0.0, 0.2]])
    digit = image_colours(GridImage(dim, "digit", (), ""))
    assert digit[0].tolist() == [[0, 0, 0, 255], [51, 51, 51, 255]]
    heatmap = image_colours(GridImage(dim, "heatmap", (), ""))
    assert (heatmap == image_colours(GridImage(dim * 10, "heatmap", (), ""))).all()


def test_the_curves_are_the_accuracy_of_each_network(demo):
    (axes,) = curves_figure(demo.networks).axes
    line = next(line for line in axes.lines if line.get_label() == "most relevant")
    rates = [summary.error_rate.value for summary in demo.networks[0].curves["morf"]]
    assert list(line.get_ydata()) == [100 - 100 * rate for rate in rates]
    assert list(line.get_xdata()) == [100 * share for share in demo.networks[0].shares]


def test_the_error_rates_are_those_of_the_rule_table(demo):
    (axes,) = error_rates_figure(demo.table).axes
    drawn = next(c for c in axes.containers if c.get_label() == "most relevant")
    rates = [100 * row.most.error_rate.value for row in demo.table.rows]
    assert list(drawn.lines[0].get_xdata()) == rates
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [row.recipe for row in demo.table.rows]
