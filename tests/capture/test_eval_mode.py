"""Models in train mode, and models that are random in eval mode."""

import pytest
import torch
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


@pytest.mark.parametrize(
    ("pool", "x", "line"),
    [
        (nn.FractionalMaxPool2d(2, output_size=3), signed(2, 1, 6, 6), "AdaptiveMaxPool2d((3, 3))"),
        (nn.FractionalMaxPool2d(2, output_ratio=0.5), signed(2, 1, 6, 8), "Pool2d((3, 4))"),
        (nn.FractionalMaxPool3d(2, output_size=2), signed(2, 1, 4, 4, 4), "Pool3d((2, 2, 2))"),
    ],
)
def test_a_pooling_of_random_regions_is_replaced_by_one_that_keeps_the_size(pool, x, line):
    model = nn.Sequential(nn.Tanh(), pool, nn.Flatten(), nn.LazyLinear(3)).eval()
    with torch.no_grad():
        model(x.float())
    with pytest.raises(relprop.RelpropError, match="does so in eval mode, too") as error:
        relprop.explain(model, x.float())
    assert line in error.value.todo
    eval(error.value.todo.removeprefix("write "), {"model": model, "torch": torch})
    leaf = x.float().requires_grad_()
    pooled = model[1](leaf.tanh()).flatten(1) @ model[3].weight[1]
    per_unit = torch.autograd.grad(pooled.sum(), leaf)[0] / (1 - leaf.tanh() ** 2)
    e = relprop.explain(model, x.float(), "zero", 1)
    torch.testing.assert_close(e.relevance, (per_unit * leaf.tanh()).detach(), atol=1e-5, rtol=1e-4)


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
