"""Arguments of removal curves: an error in three parts for bad ones, before the model runs."""

import math

import pytest
import torch
from helpers.removal_models import weighted
from torch import nn

from relprop.errors import InputError
from relprop.evaluate import removal_curve, removal_curves

MODEL, X = weighted(6)


def refused(match, relevance=X, x=X, model=MODEL, **settings):
    MODEL.rows.clear()
    with pytest.raises(InputError, match=match) as caught:
        removal_curve(model, x, relevance, **{"steps": 3, **settings})
    assert MODEL.rows == []
    return caught.value


# ---- relevance -------------------------------------------------------------------------


def test_relevance_with_nan_names_the_sample():
    relevance = X.clone()
    relevance[3, 2] = math.nan
    refused("relevance has NaN values, first in sample 3", relevance)
    with pytest.raises(InputError, match="relevance has NaN values, first in sample 3"):
        removal_curves(MODEL, X, {"good": X, "bad": relevance}, steps=3)
    assert MODEL.rows == []


def test_infinite_relevance_goes_first_or_last():
    relevance = torch.arange(6.0).repeat(5, 1)
    relevance[:, 2], relevance[:, 4] = math.inf, -math.inf
    got = removal_curve(MODEL, X, relevance, steps=6).scores
    order = torch.tensor([2, 5, 3, 1, 0, 4]).repeat(5, 1)
    assert got.equal(removal_curve(MODEL, X, None, order=order, steps=6).scores)


def test_constant_relevance_is_a_random_order_with_all_ties():
    got = removal_curve(MODEL, X, torch.zeros_like(X), steps=6, seed=2)
    assert got.ties.tolist() == [6] * 5
    random = removal_curve(MODEL, X, None, order="random", steps=6, seed=2)
    assert got.scores.equal(random.scores)


def test_relevance_is_a_tensor_or_a_function():
    error = refused("relevance of type ndarray", X.numpy())
    assert "torch.as_tensor(relevance)" in error.todo
    with pytest.raises(InputError, match="the relevance function's result of type list"):
        removal_curve(MODEL, X, lambda model, x, target: x.tolist(), steps=3)


def test_relevance_is_missing():
    error = refused('no relevance for order="morf"', None)
    assert error.allowed == 'relevance, or order="random", or a permutation (n, d)'


# ---- orders ----------------------------------------------------------------------------


def test_an_order_that_is_no_permutation_names_the_sample():
    order = torch.arange(6).repeat(5, 1)
    order[2, :3] = 1  # in place of 0, 1, 2: the sum is the same
    refused("an order that is not a permutation, first in sample 2", None, order=order)


@pytest.mark.parametrize("order", [torch.arange(6), torch.arange(5).repeat(5, 1), torch.rand(5, 6)])
def test_an_order_of_another_shape_or_kind_is_refused(order):
    error = refused("an order of shape", None, order=order)
    assert error.allowed.startswith("whole numbers of shape (5, 6)")


def test_an_order_has_a_name():
    refused("order='best'", order="best")


# ---- inputs ----------------------------------------------------------------------------


@pytest.mark.parametrize("x", [None, [1.0, 2.0], {}, {"x": [1.0]}])
def test_there_is_a_tensor_to_remove_from(x):
    refused("without a tensor", x=x)


@pytest.mark.parametrize("shape", [(6,), (0, 6)])
def test_it_is_a_batch(shape):
    refused(r"an input of shape \(\d", x=torch.zeros(shape))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None])
def test_a_batch_has_a_size(batch_size):
    refused("batch_size is", batch_size=batch_size)


def test_a_model_that_is_training_is_refused():
    """Its dropout, or its batch normalisation, would make each score depend on chance."""
    model = nn.Sequential(nn.Linear(6, 2), nn.Dropout()).double()
    error = refused("the model is in training mode", model=model)
    assert error.todo == "call model.eval() first"


def test_scores_and_targets_are_looked_at_first():
    refused("score='best'", score="best")


def test_nothing_is_written_on_the_model_or_the_input():
    kept, weights = X.clone(), MODEL.w.detach().clone()
    curves = removal_curves(MODEL, X, {"a": X}, fill="marginal", steps=3)
    assert X.equal(kept)
    assert MODEL.w.equal(weights)
    assert MODEL.w.grad is None
    assert not curves["a"].morf.scores.requires_grad


def test_a_plain_function_is_a_model():
    weights = MODEL.w.detach()
    got = removal_curve(lambda x: (x @ weights)[:, None], X, X, steps=3, score="logit")
    expected = removal_curve(MODEL, X, X, steps=3, score="logit", target=0)
    torch.testing.assert_close(got.scores, expected.scores)


# ---- which input -----------------------------------------------------------------------


class TwoInputs(nn.Module):
    def forward(self, left, right, scale):
        score = (left.sum(1) - right.sum(1)) * scale
        return torch.stack([score, torch.zeros_like(score)], 1)


def test_the_input_that_is_removed_from_is_named():
    left, right = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    x = {"left": left, "right": right, "scale": 2.0}
    settings = {"score": "logit", "target": 0, "steps": (4,)}
    by_default = removal_curve(TwoInputs().eval(), x, left, **settings)
    torch.testing.assert_close(by_default.scores[:, 1], -2 * right.sum(1))
    other = removal_curve(TwoInputs().eval(), x, right, remove_from="right", **settings)
    torch.testing.assert_close(other.scores[:, 1], 2 * left.sum(1))
    with pytest.raises(InputError, match="without scale to remove from"):
        removal_curve(TwoInputs().eval(), x, left, remove_from="scale", **settings)
