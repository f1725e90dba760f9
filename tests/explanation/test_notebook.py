"""An explanation in a notebook."""

import pytest
import torch
from helpers.heads import X, headed
from helpers.networks import mnist_cnn, pixels, randomise, signed
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


def test_a_notebook_shows_the_probabilities_of_a_head_as_they_are():
    e = relprop.explain(headed(torch.sigmoid), X, target=1)
    page = e._repr_html_()
    for i in range(5):
        for k in range(3):
            assert f"{k}: {float(e.output[i, k]):.1%}" in page
    assert "explained: class 1, input of sigmoid" in page


def test_a_notebook_shows_one_unit_without_a_bar_unless_it_is_a_probability():
    linear, x = randomise(nn.Linear(4, 1)).double(), signed(2, 4)
    e = relprop.explain(linear, x)
    page = e._repr_html_()
    assert f"0: {float(e.output[0, 0]):+.3g}" in page
    assert "output</th>" in page
    assert "width" not in page
    page = relprop.explain(nn.Sequential(linear, nn.Sigmoid()).eval(), x)._repr_html_()
    assert f"0: {float(e.output[0, 0].sigmoid()):.1%}" in page
    assert "probabilities</th>" in page
