"""The figures: colours of pictures, and the numbers that are drawn."""

import torch

from relprop.demo.figures import curves_figure, error_rates_figure, picture_colours
from relprop.demo.pictures import Picture
from relprop.demo.removal import BRIGHTEST, DEMO_FILLS
from relprop.demo.rule_table import MAIN_RECIPE
from relprop.plot.colours import relevance_colours


def test_every_digit_is_shown_on_the_same_scale_and_a_map_up_to_its_limit():
    dim = torch.tensor([[0.0, 0.2]])
    digit = picture_colours(Picture("digit", dim, (), ""))
    assert digit[0].tolist() == [[0, 0, 0, 255], [51, 51, 51, 255]]
    map_ = Picture("map", dim, (), "", limit=0.2)
    assert (picture_colours(map_) == relevance_colours(dim, 0.2)).all()
    assert (picture_colours(map_, 0.8) == relevance_colours(dim, 0.8)).all()


def test_the_curves_are_the_error_rates_of_each_network(demo):
    panels = curves_figure(demo.networks).axes
    for ax, fill in zip(panels, DEMO_FILLS, strict=True):
        for order, name in ((MAIN_RECIPE, "epsilon"), (BRIGHTEST, "brightest first")):
            line = next(line for line in ax.lines if line.get_label() == name)
            rates = [each.error_rate.value for each in demo.main.curves[fill][order]]
            assert list(line.get_ydata()) == [100 * rate for rate in rates]
            assert list(line.get_xdata()) == [100 * share for share in demo.main.shares]
    assert not panels[0].collections  # no band of intervals for twelve digits


def test_the_error_rates_are_those_of_the_rule_table(demo):
    panels = error_rates_figure(demo.table).axes
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names == [row.recipe for row in demo.table.rows]
    for ax, fill in zip(panels, DEMO_FILLS, strict=True):
        drawn = next(c for c in ax.containers if c.get_label() == "most relevant")
        rates = [100 * row.most[fill].error_rate.value for row in demo.table.rows]
        assert list(drawn.lines[0].get_xdata()) == rates
        brightest = next(line for line in ax.lines if line.get_label() == "brightest first")
        rate = demo.table.controls[BRIGHTEST][fill].error_rate.value
        assert list(brightest.get_xdata()) == [100 * rate] * 2
