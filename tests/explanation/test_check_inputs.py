"""Inputs that do not fit the model, and outputs that are no scores."""

import pytest
from helpers.networks import signed
from torch import nn

import relprop


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(4, 1), r"output has shape \(batch, 1\)"),
        (nn.Unflatten(1, (2, 2)), r"output has shape \(batch, 2, 2\)"),
        (nn.Linear(3, 3), "accepts"),
    ],
)
def test_outputs_that_are_no_scores_and_inputs_of_another_shape_are_refused(model, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(model.eval(), signed(2, 4).float())
