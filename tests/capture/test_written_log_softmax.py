"""A log-softmax that a model's code writes out is explained as torch's own."""

from functools import cache

import pytest
import torch
from helpers.close_maps import assert_same
from helpers.networks import signed
from helpers.written_softmax import Form, assert_explained_alike, build, softmax, stable
from torch import Tensor, nn

import relprop
from relprop.capture.model import capture_model
from relprop.explanation.check_inputs import check_inputs


def shifted_logsumexp(k: Tensor, v: Tensor) -> Tensor:
    shifted = k - k.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def largest(k: Tensor) -> Tensor:
    return k.amax(-1, keepdim=True)


def log_sum(k: Tensor) -> Tensor:
    return stable(k).sum(-1, keepdim=True).log()


def log_softmax(k: Tensor, v: Tensor) -> Tensor:
    return k.log_softmax(-1)


FORMS: dict[str, tuple[Form, Form]] = {
    "exp of k - logsumexp": (lambda k, v: (k - k.logsumexp(-1, keepdim=True)).exp(), softmax),
    "k - log of the sum": (lambda k, v: k - k.exp().sum(-1, keepdim=True).log(), log_softmax),
    "k - logsumexp, shifted": (shifted_logsumexp, log_softmax),
    "exp of log_softmax": (lambda k, v: k.log_softmax(-1).exp(), softmax),
    "the maximum added": (lambda k, v: k - (largest(k) + log_sum(k)), log_softmax),
    "the maximum added, exp": (lambda k, v: (k - (log_sum(k) + largest(k))).exp(), softmax),
    "in two steps": (lambda k, v: k - largest(k) - log_sum(k), log_softmax),
    "plus zero": (lambda k, v: k - (k.logsumexp(-1, keepdim=True) + 0.0), log_softmax),
    "minus both": (lambda k, v: -(k.logsumexp(-1, keepdim=True) - k), log_softmax),
    "minus added": (lambda k, v: k + -(largest(k) + log_sum(k)), log_softmax),
    "of an einsum": (
        lambda k, v: k - torch.einsum("bhn->bh", k.exp()).log()[..., None],
        log_softmax,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_it_is_explained_as_the_operation(name, explainer):
    written, torchs = FORMS[name]
    presets = ("attnlrp", "epsilon") if name in list(FORMS)[::4] else ("attnlrp",)
    assert_explained_alike(relprop.Explainer(build(written, False)), explainer(torchs), presets)


@pytest.fixture(scope="module")
def explainer():
    return cache(lambda form: relprop.Explainer(build(form, square=False)))


NOT_LOG_SOFTMAX: dict[str, Form] = {
    "the maximum lacks": lambda k, v: k - log_sum(k),
    "the mean": lambda k, v: k - k.exp().mean(-1, keepdim=True).log(),
    "of another": lambda k, v: k - v[..., 0].logsumexp(-1, keepdim=True),
    "plus": lambda k, v: k + k.logsumexp(-1, keepdim=True),
    "half of it": lambda k, v: k - 0.5 * k.logsumexp(-1, keepdim=True),
    "with a stabiliser": lambda k, v: k - (k.exp().sum(-1, keepdim=True) + 1e-3).log(),
}


@pytest.mark.parametrize("name", NOT_LOG_SOFTMAX)
def test_what_is_none_stays_what_it_is(name):
    model, x = build(NOT_LOG_SOFTMAX[name], square=False), signed(3, 6)
    inputs = check_inputs(model, x, None)
    with torch.no_grad():
        graph = capture_model(model, inputs, None, per_input=False).graph
    assert "log_softmax" not in [node.operation for node in graph.nodes]


HEADS = {
    "in two steps": lambda z: z - largest(z) - log_sum(z),
    "the maximum added": lambda z: z - (largest(z) + log_sum(z)),
    "minus both": lambda z: -(z.logsumexp(1, keepdim=True) - z),
}


class Headed(nn.Module):
    """Two classes, of logits x (1, -3) and x (0, 1)."""

    def __init__(self, head):
        super().__init__()
        self.layer, self.head = nn.Linear(2, 2, bias=False).double(), head
        self.layer.weight.data = torch.tensor([[1.0, -3], [0, 1]]).double()

    def forward(self, x):
        return self.head(self.layer(x))


@pytest.mark.parametrize("name", HEADS)
def test_at_the_end_of_a_model_its_logits_are_explained(name):
    model, x = Headed(HEADS[name]).eval(), torch.tensor([[1, 0.5]]).double()
    e = relprop.Explainer(model, "zero")(x, target=0)
    assert_same(e.relevance, torch.tensor([[1, -1.5]]).double())
    assert e.head.kind == "log-probabilities"
