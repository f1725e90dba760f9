"""The Captum-like LRP: beside captum.attr.LRP, beside relprop.explain, and in Captum's tools."""

import sys

import captum.attr
import captum.metrics
import numpy as np
import pytest
import torch
from captum.attr._utils.lrp_rules import EpsilonRule
from helpers.models_with_inputs import IDS, MASK, Text, Two
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.integrations.captum import LRP

X = signed(5, 4)
PICTURES = signed(5, 2, 6, 6)
LABELS = [0, 2, 1, 1, 0]


def mlp() -> nn.Module:
    layers = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)
    return randomise(nn.Sequential(*layers)).double()


class CNN(nn.Module):
    """Flattens by itself: Captum's LRP has no rule for nn.Flatten."""

    def __init__(self):
        super().__init__()
        layers = nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU()
        self.features, self.head = nn.Sequential(*layers), nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


def cnn() -> nn.Module:
    return randomise(CNN()).double()


class Sequence(nn.Module):
    """A linear layer at each position: (batch, length, 4) to (batch, length, 3)."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x)


# ---- beside Captum's own -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients")
@pytest.mark.parametrize(("make", "x"), [(mlp, X), (cnn, PICTURES)], ids=["mlp", "cnn"])
@pytest.mark.parametrize("target", [1, LABELS, torch.tensor(LABELS)], ids=["int", "list", "tensor"])
@pytest.mark.parametrize("epsilon", [1e-9, 0.3])
def test_relevance_and_delta_are_those_of_captum(make, x, target, epsilon):
    model = make()
    for layer in model.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            layer.rule = EpsilonRule(epsilon=epsilon)
    want, delta = captum.attr.LRP(model).attribute(x, target, return_convergence_delta=True)
    recipe = relprop.Recipe.preset("epsilon", epsilon=epsilon)
    got = LRP(model, recipe).attribute(x, target, return_convergence_delta=True)
    torch.testing.assert_close(got[0], want.detach())
    torch.testing.assert_close(got[1], delta.detach())


# ---- beside relprop.explain ----------------------------------------------------------------------


def test_relevance_is_that_of_explain():
    model = mlp()
    want = relprop.explain(model, X, "epsilon-plus", torch.tensor(LABELS)).relevance
    assert torch.equal(LRP(model, "epsilon-plus").attribute(X, LABELS), want)
    of_numpy = list(np.array(LABELS))
    assert torch.equal(LRP(model, "epsilon-plus").attribute(X, of_numpy), want)
    assert torch.equal(LRP(model).attribute(X, 2), relprop.explain(model, X, target=2).relevance)
    for text in ("predicted", "runner-up"):
        want = relprop.explain(model, X, target=text).relevance
        assert torch.equal(LRP(model).attribute(X, text), want)


def test_entries_of_an_output_of_more_dimensions():
    model, x = randomise(Sequence()).double(), signed(3, 5, 4)
    places = [(0, 1), (4, 2), (2, 0)]
    want = torch.zeros_like(x)
    for i, (position, k) in enumerate(places):
        want[i, position] = x[i, position] * model.layer.weight[k].detach()
    got, delta = LRP(model, "zero").attribute(x, places, return_convergence_delta=True)
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(delta, model.layer.bias.detach()[[1, 2, 0]])
    got, delta = LRP(model, "zero").attribute(x, (4, 2), return_convergence_delta=True)
    torch.testing.assert_close(got[1], want[1])
    torch.testing.assert_close(delta, model.layer.bias.detach()[[2, 2, 2]])


def test_a_tuple_of_inputs_is_explained_and_further_arguments_are_not():
    model, left, right = randomise(Two()).double(), signed(2, 4), signed(2, 3, seed=2)
    labels = ("left", "right")
    want = relprop.explain(model, (left, right, 2.5), "zero", 1, explain=labels).relevances
    got = LRP(model, "zero").attribute((left, right), 1, additional_forward_args=2.5)
    assert isinstance(got, tuple)
    assert len(got) == 2
    assert all(map(torch.equal, got, want.values()))
    alone, delta = LRP(model, "zero").attribute(
        left, 1, additional_forward_args=(right, 2.5), return_convergence_delta=True
    )
    assert torch.equal(alone, got[0])
    score = model(left, right, 2.5)[:, 1].detach()
    torch.testing.assert_close(delta, score - alone.sum(1))  # what `right` received is in it
    (only,) = LRP(model, "zero").attribute((left,), 1, additional_forward_args=(right, 2.5))
    assert torch.equal(only, alone)


def test_a_model_with_one_number_per_sample_needs_no_target():
    model = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))).double()
    got, delta = LRP(model, "zero").attribute(X, return_convergence_delta=True)
    assert torch.equal(got, relprop.explain(model, X, "zero").relevance)
    torch.testing.assert_close(delta, model(X).detach().flatten() - got.sum(1))


def test_the_delta_of_a_classifier_with_a_softmax_is_that_of_the_logit():
    model = mlp()
    whole = nn.Sequential(model, nn.Softmax(1)).eval()
    got, delta = LRP(whole, "zero").attribute(X, LABELS, return_convergence_delta=True)
    logits = model(X).detach()[torch.arange(5), LABELS]
    torch.testing.assert_close(delta, logits - got.sum(1))


def test_token_ids_receive_a_value_each():
    model = randomise(Text()).double()
    got = LRP(model).attribute(IDS, 1, additional_forward_args=MASK)
    assert torch.equal(got, relprop.explain(model, (IDS, MASK), target=1).relevance)


# ---- in Captum's tools ---------------------------------------------------------------------------


def test_a_noise_tunnel_takes_it():
    """Without noise the mean of its samples is the relevance; with noise it is not."""
    lrp = LRP(mlp())
    tunnel, want = captum.attr.NoiseTunnel(lrp), lrp.attribute(X, LABELS)
    got, delta = tunnel.attribute(
        X, nt_samples=3, stdevs=0.0, target=LABELS, return_convergence_delta=True
    )
    torch.testing.assert_close(got, want)
    _, once = lrp.attribute(X, LABELS, return_convergence_delta=True)
    torch.testing.assert_close(delta, once.repeat_interleave(3))
    assert not torch.allclose(tunnel.attribute(X, stdevs=0.5, target=LABELS), want)


def test_metrics_of_captum_take_it():
    """Infidelity and sensitivity of a linear model, whose relevance is the product w x, are known.

    Relevance of w x at x + d differs from that at x by w d: with d = x / 10 by a tenth of its norm.
    What w x predicts of the change of the score by removing x is right: an infidelity of 0.
    """
    model = randomise(nn.Sequential(nn.Linear(4, 3, bias=False))).double()
    lrp = LRP(model, "zero")
    sensitivity = captum.metrics.sensitivity_max(
        lrp.attribute, X, perturb_func=lambda x, _: x * 1.1, target=1, n_perturb_samples=1
    )
    torch.testing.assert_close(sensitivity, torch.full((5,), 0.1, dtype=torch.float64))

    def removed(x):
        return torch.ones_like(x), torch.zeros_like(x)

    infidelity = captum.metrics.infidelity(
        model, removed, X, lrp.attribute(X, target=1), target=1, n_perturb_samples=1
    )
    torch.testing.assert_close(infidelity, torch.zeros(5, dtype=torch.float64))


def test_nothing_is_left_on_the_model():
    model = mlp()
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    LRP(model).attribute(X, 1, return_convergence_delta=True)
    assert {name: dict(vars(module)) for name, module in model.named_modules()} == before
    assert all(parameter.grad is None for parameter in model.parameters())


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, r'no target, for a model whose output has shape \(batch, 3\)(.|\n)*"predicted"'),
        (3, "class 3 of a model with 3 classes"),
        ([1, 2], r"shape \(2,\) for a batch of 5"),
        ([], r"the list \[\](.|\n)*target=\[0\] \* len\(inputs\)"),
        (["a"] * 5, r"the list \['a', 'a', 'a'\]"),
        ([(1,)], r"a list of 1 tuples for a batch of 5(.|\n)*target=\[\(1,\)\] \* len\(inputs\)"),
        ((1.5,), r"at\(1.5\)"),
        ("all", "target is 'all'"),
    ],
)
def test_wrong_targets(target, message):
    with pytest.raises(relprop.RelpropError, match=message):
        LRP(mlp()).attribute(X, target)


def test_no_target_for_an_output_of_more_dimensions():
    model, x = randomise(Sequence()).double(), signed(3, 5, 4)
    with pytest.raises(relprop.RelpropError, match=r"\(batch, 5, 3\)") as error:
        LRP(model).attribute(x)
    assert error.value.todo == "write target=(0, 0)"
    assert LRP(model).attribute(x, (0, 0)).shape == x.shape


def test_inputs_that_are_no_tensors():
    with pytest.raises(relprop.RelpropError, match="as_tensor"):
        LRP(mlp()).attribute(X.numpy(), 1)


def test_captum_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    monkeypatch.delattr(relprop.integrations, "captum")
    monkeypatch.delitem(sys.modules, "relprop.integrations.captum")
    with pytest.raises(relprop.errors.MissingExtraError, match=r"relprop\[evaluate\]"):
        _ = relprop.integrations.captum
