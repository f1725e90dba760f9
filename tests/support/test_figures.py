"""Figures as bytes: the same figure gives the same file."""

import pytest
from matplotlib.figure import Figure

from relprop.support.figures import figure_bytes


def figure():
    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([0, 1], [1, 0], label="a line")
    return drawn


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_equal_figures_give_equal_bytes(kind, start):
    first, second = figure_bytes(figure(), kind), figure_bytes(figure(), kind)
    assert first == second
    assert first.startswith(start)
