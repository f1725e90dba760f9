"""Figures: names are shown as they are written, and the same figure gives the same file."""

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.tokenizers import Bag
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import nn

import relprop
from relprop.evaluate import removal_curves
from relprop.support.figures import as_written, figure_bytes

NAME = "x $50_$ y"  # a formula that matplotlib cannot read


def table():
    return relprop.explain(randomise(nn.Linear(3, 3)), signed(4, 3).float(), "zero", target=1)


def overall():
    return table().overall(feature_names=["a", NAME, "c"])


def of_shape(*shape):
    layers = nn.Flatten(), nn.Linear(shape[0] * shape[1] * (shape[2] if shape[2:] else 1), 2)
    return relprop.explain(randomise(nn.Sequential(*layers)), signed(3, *shape).float(), "zero")


def text():
    return relprop.explain(randomise(Bag()), torch.ones(1, 2).long(), "zero")


def curves():
    x = signed(4, 3).float()
    model = randomise(nn.Linear(3, 2))
    return removal_curves(model, x, {NAME: x}, steps=2, output_kind="logits")


def ledger():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module(NAME, nn.Linear(3, 2))

        def forward(self, x):
            return self.get_submodule(NAME)(x)

    model = randomise(Model())
    return relprop.explain(model, signed(2, 3).float(), "epsilon", ledger=True).ledger


FIGURES = {
    "bars": lambda: overall().plot(),
    "beeswarm": lambda: overall().plot("beeswarm"),
    "features": lambda: table().plot(feature_names=["a", NAME, "c"]),
    "waterfall": lambda: table().plot(feature_names=["a", NAME, "c"], waterfall=True),
    "classes": lambda: table().plot(class_names=["a", NAME, "c"]),
    "pictures": lambda: of_shape(1, 3, 3).plot(class_names=[NAME, NAME]),
    "grid": lambda: relprop.MapGrid({NAME: of_shape(1, 3, 3)}).plot(),
    "series": lambda: of_shape(2, 5).plot(feature_names=["a", NAME]),
    "text": lambda: text().plot(tokens=[["a", NAME]]),
    "text classes": lambda: text().plot(class_names=[NAME] * text().output.shape[1]),
    "curves": lambda: curves().plot(),
    "ledger": lambda: ledger().plot(),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_a_name_with_two_dollars_is_drawn_as_it_is_written(make):
    figure = make()
    with rc_context({"svg.fonttype": "none"}):  # letters instead of their outlines
        assert NAME in figure_bytes(figure, "svg").decode()
    assert figure_bytes(figure, "png").startswith(b"\x89PNG")


def test_numbers_on_axes_are_left_to_matplotlib():
    with rc_context({"axes.formatter.use_mathtext": True}):
        drawn = figure()
        drawn.axes[0].set_yticks([0, 1], ["a", NAME])
        as_written(drawn).draw_without_rendering()
    across, up = drawn.axes[0].xaxis.get_ticklabels(), drawn.axes[0].yaxis.get_ticklabels()
    assert "mathdefault" in across[0].get_text()
    assert all(label.get_parse_math() for label in across)
    assert not any(label.get_parse_math() for label in up)


def test_a_notebook_shows_curves_of_such_a_method():
    assert "data:image/svg+xml" in curves()._repr_html_()


def figure():
    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([0, 1], [1, 0], label="a line")
    return drawn


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_equal_figures_give_equal_bytes(kind, start):
    first, second = figure_bytes(figure(), kind), figure_bytes(figure(), kind)
    assert first == second
    assert first.startswith(start)
