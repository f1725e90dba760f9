"""Which dimension of a layer's output its channels are."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop


class Power(nn.Module):
    def forward(self, x):
        return x.pow(2)


# What is known of these operations depends on their arguments, such as the bounds of a clamp.
ACTIVATIONS = [nn.ReLU6(), nn.Hardtanh(), Power()]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
def test_channels_of_an_activation_are_those_of_its_input(activation):
    layers = nn.Conv2d(1, 3, 3), activation, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 2)
    model, x = randomise(nn.Sequential(*layers)).double(), signed(2, 1, 8, 8)
    explainer = relprop.Explainer(model)
    whole = explainer(x).relevance
    parts = [explainer(x, only={"1": [channel]}).relevance for channel in range(3)]
    torch.testing.assert_close(sum(parts), whole)
