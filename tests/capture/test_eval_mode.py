"""Models in train mode, and models that are random in eval mode."""

import pytest
from helpers.networks import signed
from torch import nn

import relprop


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Dropout(0.5), r'"1" \(native_dropout\) uses random numbers'),
        (nn.BatchNorm1d(4), r'"1" .* uses the batch\'s own statistics'),
    ],
)
def test_a_layer_in_train_mode_is_refused(layer, message):
    model = nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 3)).train()
    with pytest.raises(relprop.RelpropError, match=message) as error:
        relprop.explain(model, signed(2, 4).float())
    assert error.value.todo == "call model.eval() before"
    assert relprop.explain(model.eval(), signed(2, 4).float()).relevance.shape == (2, 4)


class Dropping(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=True)


@pytest.mark.parametrize(
    ("layer", "problem", "todo"),
    [
        (Dropping(), "to do so in eval mode too", "training=self.training"),
        (nn.BatchNorm1d(4, track_running_stats=False), "in eval mode", "track_running_stats=True"),
    ],
)
def test_what_is_random_in_eval_mode_is_not_put_down_to_train_mode(layer, problem, todo):
    model = nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 3)).eval()
    with pytest.raises(relprop.RelpropError, match=problem) as error:
        relprop.explain(model, signed(2, 4).float())
    assert todo in error.value.todo


def test_going_back_to_train_mode_is_noticed():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 3)).eval()
    explainer = relprop.Explainer(model, "zero")
    explainer(signed(2, 4).float())
    model.train()
    with pytest.raises(relprop.RelpropError, match="train mode"):
        explainer(signed(2, 4).float())


class Dropout(nn.Module):
    """A layer with the name of one of torch's, which is random in eval mode too."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=True)


class AlwaysRandom(nn.Dropout):
    """A subclass of torch's layer, which is random in eval mode too."""

    def forward(self, x):
        return nn.functional.dropout(x, self.p, training=True)


class OwnDropout(nn.Dropout):
    """A subclass of torch's layer, which is random in train mode alone."""


@pytest.mark.parametrize("layer", [Dropout(), AlwaysRandom()])
def test_eval_mode_is_told_from_train_mode_whatever_a_class_is_called(layer):
    model = nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 3))
    with pytest.raises(relprop.RelpropError, match="the model is in train mode"):
        relprop.explain(model.train(), signed(2, 4).float())
    with pytest.raises(relprop.RelpropError, match="to do so in eval mode too"):
        relprop.explain(model.eval(), signed(2, 4).float())


def test_a_subclass_in_train_mode_is_told_to_be_in_train_mode():
    model = nn.Sequential(nn.Linear(4, 4), OwnDropout(), nn.Linear(4, 3)).train()
    with pytest.raises(relprop.RelpropError, match="the model is in train mode") as error:
        relprop.explain(model, signed(2, 4).float())
    assert error.value.todo == "call model.eval() before"
