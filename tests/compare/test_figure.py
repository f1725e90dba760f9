"""The figure of a comparison: its lines have the numbers of the records."""

from helpers.comparison import METHODS

from relprop.compare.figure import curves_figure


def test_the_figure_draws_the_mean_curves(comparison):
    figure = curves_figure(comparison)
    assert len(figure.axes) == 2  # a model, two fills
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    result = comparison.results[1]
    assert tuple(lines[METHODS[1]].get_ydata()) == result.methods[1].morf.curve
    assert tuple(lines["random order"].get_ydata()) == result.random.curve
    assert list(lines[METHODS[1]].get_xdata()) == [100 * share for share in comparison.shares]
