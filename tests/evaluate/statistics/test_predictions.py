"""Predictions and margins, against their closed form."""

import math

import pytest
import torch
from torch import nn

from relprop.errors import InputError
from relprop.evaluate import predict


def test_a_prediction_is_the_largest_score_with_its_margin():
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 0.0]])
    got = predict(nn.Identity(), scores)
    assert got.prediction.tolist() == [1, 0]
    expected = torch.tensor([1 - math.exp(-1), 1 - math.exp(-5)])  # p2 / p1 = exp(s2 - s1)
    torch.testing.assert_close(got.margin, expected)


def test_batches_change_nothing():
    gen = torch.Generator().manual_seed(0)
    x, model = torch.randn(7, 4, generator=gen), nn.Linear(4, 3)
    whole, parts = predict(model, x, batch_size=7), predict(model, x, batch_size=2)
    assert whole.prediction.equal(parts.prediction)
    torch.testing.assert_close(whole.margin, parts.margin)
    assert not whole.margin.requires_grad


def test_a_model_that_gives_nonsense_is_named():
    with pytest.raises(InputError, match="output has NaN or infinite values"):
        predict(nn.Identity(), torch.tensor([[0.0, math.inf]]))
