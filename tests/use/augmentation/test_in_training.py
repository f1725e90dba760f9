"""Relevance of a model in training: of present weights, without dropout, captured once."""

import copy

import pytest
import torch
from helpers.model_state import Net, assert_unchanged, snapshot
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.use.augmentation.in_training import TrainingExplainer, check_batch, check_fraction

X = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 1, 0, 1])
CALLS = []  # calls of a model's forward, which a capture makes and a later explanation does not


class Counting(nn.Module):
    """Dropout and BatchNorm, and a record of calls."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.9))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        CALLS.append(self.training)
        return self.head(self.body(x))


def test_weights_and_running_statistics_are_followed_with_one_capture():
    torch.manual_seed(0)
    model, explain = Counting(), TrainingExplainer("epsilon")
    optimiser = torch.optim.SGD(model.parameters(), 0.5)
    captured = []
    for step in range(3):
        CALLS.clear()
        got = explain(model, X[: 3 + step], Y[: 3 + step]).relevance  # batches of several sizes
        captured.append(len(CALLS))
        copied = copy.deepcopy(model).eval()
        expected = relprop.explain(copied, X[: 3 + step], "epsilon", target=Y[: 3 + step]).relevance
        torch.testing.assert_close(got, expected)
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(X), Y).backward()
        optimiser.step()
    assert captured[0] > 0
    assert captured[1:] == [0, 0]
    assert model.training


def test_the_model_and_random_numbers_are_left_as_they_were():
    model, x = Net(), torch.rand(4, 1, 8, 8)
    model.body[1].eval()
    before, state = snapshot(model), torch.get_rng_state()
    TrainingExplainer("epsilon")(model, x, torch.tensor([0, 1, 2, 3]))
    assert_unchanged(model, before)
    assert state.equal(torch.get_rng_state())


def test_the_model_is_left_as_it_was_where_it_raises():
    model, x = Net(fails=True), torch.rand(4, 1, 8, 8)
    before = snapshot(model)
    with pytest.raises(relprop.errors.CaptureError):
        TrainingExplainer("epsilon")(model, x, torch.tensor([0, 1, 2, 3]))
    assert_unchanged(model, before)


def test_another_model_is_explained_and_a_copy_begins_empty():
    explain, first, second = TrainingExplainer("zero"), nn.Linear(3, 2), nn.Linear(3, 2)
    for model in (first, second, first):
        expected = X * model.weight[Y]
        torch.testing.assert_close(explain(model, X, Y).relevance, expected.detach())
    again = copy.deepcopy(explain)
    assert again.recipe == explain.recipe
    torch.testing.assert_close(again(first, X, Y).relevance, (X * first.weight[Y]).detach())


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1.0]], Y, "x of type list"),
        (X.long(), Y, r"x of shape \(5, 3\) and torch.int64"),
        (X[0], Y, r"x of shape \(3,\)"),
        (X[:0], Y[:0], r"x of shape \(0, 3\)"),
        (X, Y.tolist(), "y of type list"),
        (X, Y.float(), "y of shape .* and torch.float32"),
        (X, Y[:4], r"y of shape \(4,\) for 5 samples"),
        (X, torch.eye(5).long(), r"write y.argmax\(1\)"),
        (X, Y - 1, "class -1"),
        (X, Y + 2, "class 3\n.*classes from 0 to 2\n.*write classes=4"),
    ],
)
def test_batches_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(InputError, match=message):
        check_batch(x, y, classes=3)


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, 25, True, "half", None, float("nan")])
def test_fractions_out_of_range_are_refused(value):
    with pytest.raises(InputError, match=r"share is .*\n.*\n.*write share=0\.(5|25|015)"):
        check_fraction("share", value)


def test_ends_of_the_range_where_they_are_allowed():
    check_fraction("p", 0, zero=True)
    check_fraction("p", 1.0, one=True)
    with pytest.raises(InputError):
        check_fraction("p", 0, one=True)
