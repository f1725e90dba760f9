"""Relevance at layers, as the backward pass reaches them."""

import pytest
import torch
from helpers.nested_cnn import PIXELS, nested_cnn
from helpers.networks import pixels, randomise
from torch import nn

import relprop


@pytest.fixture(scope="module")
def explainer() -> relprop.Explainer:
    return relprop.Explainer(randomise(nested_cnn()).double(), "zero")


def test_relevance_at_a_module_is_its_output_times_the_gradient_there(explainer):
    model = explainer.model
    e = explainer(PIXELS, target=1, layers=["0", "2", "4"])
    hidden = model[0](PIXELS).detach().requires_grad_()
    score = model[1:](hidden)[:, 1]
    expected = hidden * torch.autograd.grad(score.sum(), hidden)[0]
    torch.testing.assert_close(e.layers["0"], expected.detach())
    torch.testing.assert_close(e.layers["4"].sum(1), score.detach())
    assert list(e.layers) == ["0", "2", "4"]


def test_what_runs_as_one_step_has_one_relevance(explainer):
    """A layer, its batch norm and its ReLU."""
    e = explainer(PIXELS, target=1, layers=["0*"])
    assert list(e.layers) == ["0", "0.0", "0.1", "0.2"]
    for name in ("0.0", "0.1", "0.2"):
        assert e.layers[name].equal(e.layers["0"])


class Twice(nn.Module):
    """One module called twice, and one that returns two values."""

    def __init__(self):
        super().__init__()
        self.layer, self.split, self.head = nn.Linear(4, 4), Split(), nn.Linear(4, 2)

    def forward(self, x):
        left, right = self.split(self.layer(self.layer(x).relu()).relu())
        return self.head(left + 2 * right)


class Split(nn.Module):
    def forward(self, x):
        return x * 2, x * 3


def test_modules_with_several_outputs():
    model = randomise(Twice()).double()
    e = relprop.Explainer(model, "zero")(pixels(2, 4), target=0, layers=["layer", "split"])
    x = pixels(2, 4)
    first = model.layer(x)
    second = model.layer(first.relu())
    left, right = model.split(second.relu())
    score = model.head(left + 2 * right)[:, 0].sum()
    values = (first, second, left, right)
    gradients = torch.autograd.grad(score, values)
    for got, value, gradient in zip(
        (*e.layers["layer"], *e.layers["split"]), values, gradients, strict=True
    ):
        torch.testing.assert_close(got, (value * gradient).detach())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": ["9"]}, r"layer '9'(.|\n)*\"0\.0\""),
        ({"layers": "0"}, r'layers is \'0\'(.|\n)*layers=\["0"\]'),
        ({"layers": ["4", "O*"]}, r"layer 'O\*'"),
    ],
)
def test_layers_that_do_not_exist(explainer, arguments, message):
    with pytest.raises(relprop.RelpropError, match=message):
        explainer(PIXELS, **arguments)


def test_a_module_that_relevance_does_not_reach(explainer):
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)).eval()

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.value, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.gate(x).sigmoid() * self.value(x))

    with pytest.raises(relprop.RelpropError, match='no relevance reaches the output of "gate"'):
        relprop.Explainer(Gated().eval())(pixels(2, 4).float(), layers=["gate"])
    assert model(pixels(2, 4).float()).shape == (2, 2)
