"""Models that cannot be captured as a graph."""

import pytest
from helpers.networks import signed
from torch import nn

import relprop


class Fixed(nn.Module):
    def forward(self, x):
        return x.reshape(2, -1)[:, :3]


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Two(nn.Module):
    def forward(self, x):
        return x, x + 1


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Fixed(), "one batch size only"),
        (Branching(), "do not depend on the values of its input"),
        (Two(), "returns 2 tensors"),
    ],
)
def test_a_model_that_cannot_be_captured_is_refused(model, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(model.eval(), signed(2, 4).float())
