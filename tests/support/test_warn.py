"""Warnings name the line of the user's code, however deep in the package they arise."""

import sys
import warnings

import pytest
import torch
from torch import nn

import relprop


class Chooses(nn.Module):
    """Adds a row that the input chooses: no relevance can pass that."""

    def __init__(self):
        super().__init__()
        self.layer, self.rows = nn.Linear(4, 3), nn.Embedding(4, 3)

    def forward(self, x):
        return self.layer(x) + self.rows(x.argmax(1))


CALLS = {
    "call": lambda explainer, x: explainer(x),
    "part": lambda explainer, x: explainer(x, batch_size=1),
    "plan": lambda explainer, x: explainer.plan(x),
    "map": lambda explainer, x: list(explainer.map([x], progress=False)),
    "bucket": lambda explainer, x: list(explainer.map([x[:1]], progress=False, bucket_size=2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_warning_names_the_line_that_calls(name):
    explainer = relprop.Explainer(Chooses().eval(), "epsilon")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CALLS[name](explainer, torch.randn(2, 4))
    assert [one.category.__name__ for one in caught] == ["DroppedPathWarning"]
    assert caught[0].filename == __file__
    assert caught[0].lineno == CALLS[name].__code__.co_firstlineno


def test_the_warning_of_vanishing_relevance_names_it_too():
    explainer = relprop.Explainer(nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2)))
    model = explainer.model.eval()
    with torch.no_grad():
        model[0].weight.fill_(1e-9)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explainer(torch.randn(2, 4))
    called = sys._getframe().f_lineno - 1
    assert [(one.filename, one.lineno) for one in caught] == [(__file__, called)]
