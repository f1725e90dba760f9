"""An explanation in a notebook."""

import pytest
import torch
from helpers.networks import mnist_cnn, pixels, randomise
from torch import nn

import relprop


@pytest.fixture(scope="module")
def explained() -> tuple[nn.Module, torch.Tensor, relprop.Explanation]:
    net, x = randomise(mnist_cnn()), pixels(3, 1, 28, 28).float()
    return net, x, relprop.Explainer(net, "epsilon")(x)


def test_a_notebook_shows_input_heatmap_and_probabilities(explained):
    *_, e = explained
    page = e._repr_html_()
    assert page.count('src="data:image/png;base64,') == 6  # input and heatmap of three digits
    for i in range(3):
        best = int(e.prediction[i])
        assert f"explained: class {best}" in page
        assert f"{best}: {float(e.probabilities[i, best]):.1%}" in page


def test_a_notebook_shows_the_largest_features_of_a_table_row():
    net = randomise(nn.Sequential(nn.Linear(4, 3)))
    e = relprop.explain(net, torch.tensor([[0.5, -3.0, 0.0, 1.0]]), recipe="zero", target=(0, 1))
    page = e._repr_html_()
    assert "[1] -3" in page
    assert "class 0 against class 1" in page
