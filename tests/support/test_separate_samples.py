"""Which functions of a batch are told to mix its samples, by values and by gradients."""

import pytest
import torch

from relprop.support.separate_samples import mixes_gradients, mixes_values, same_alone

BATCH = torch.tensor([[1.0, 5.0, 2.0], [4.0, 1.0, 0.0], [0.0, 2.0, 7.0]])
WEIGHTS = torch.tensor([1.0, 2.0, 3.0])

# Function -> the same alone, mixes as its values show, mixes as its gradient shows.
FUNCTIONS = {
    "a column": (lambda b: b[:, 1], True, False, False),
    "weights of samples": (lambda b: b[:, 1] * WEIGHTS, False, False, False),
    "a row": (lambda b: b[1], False, True, True),
    "the last row": (lambda b: b[2], False, True, True),
    "less the mean": (lambda b: b[:, 0] - b.mean(), False, True, True),
    "the largest of all": (lambda b: b.amax(0), False, True, True),
    "a column that the batch chooses": (lambda b: b[:, b.sum(0).argmax()], False, True, False),
    "refuses other numbers": (lambda b: b[0] if b.min() >= 0 else 1 / 0, False, False, True),
    "another shape": (lambda b: b[:, 1] if b.min() >= 0 else b, True, False, False),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function, alone, values, gradients = FUNCTIONS[name]
    leaf = BATCH.clone().requires_grad_()
    result = function(leaf)
    assert same_alone(function, leaf, result) is alone
    assert mixes_values(function, leaf, result) is values
    (gradient,) = torch.autograd.grad(result.sum(), leaf, retain_graph=True)
    assert mixes_gradients(leaf, result, gradient) is gradients


def test_random_numbers_are_no_mixing():
    assert not mixes_values(lambda b: b[:, 1] + torch.rand(len(b)), BATCH, BATCH[:, 1])


def test_numbers_that_are_not_finite_are_compared():
    batch = torch.tensor([[1.0, -torch.inf], [torch.nan, 2.0], [3.0, 1.0]])
    assert same_alone(lambda b: b[:, 0], batch, batch[:, 0])
    assert same_alone(lambda b: b[:, 1], batch, batch[:, 1])
    assert not mixes_values(lambda b: b[:, 1], batch, batch[:, 1])


def test_the_batch_is_not_overwritten():
    batch = BATCH.clone()
    function = lambda b: b.mul_(2)[:, 1]  # noqa: E731
    assert same_alone(function, batch, 2 * BATCH[:, 1])
    assert not mixes_values(function, batch, 2 * BATCH[:, 1])
    assert batch.equal(BATCH)


def test_numbers_that_are_not_finite_hide_no_mixing():
    batch = torch.tensor([[1.0, -torch.inf], [2.0, -torch.inf], [3.0, 1.0], [9.0, 4.0]])
    function = lambda b: b[:, 1] - b[:, 0].mean()  # noqa: E731
    assert not same_alone(function, batch, function(batch))
    assert mixes_values(function, batch, function(batch))
