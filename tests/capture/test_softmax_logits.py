"""A softmax of masked exponentials is explained as torch's own, of masked logits."""

from functools import cache

import pytest
import torch
from helpers.networks import signed
from helpers.written_softmax import (
    KEPT,
    PRESETS,
    Form,
    assert_explained_alike,
    build,
    causal,
    normalised,
    stable,
)

import relprop
from relprop.capture.model import capture_model, current_state
from relprop.explanation.check_inputs import check_inputs

WEIGHTS = torch.tensor([0.5, 0, 1, 2, 0.25])
MASKED_FORMS: dict[str, tuple[Form, Form]] = {
    "tril": (lambda k, v: normalised(stable(k).tril()), causal),
    "triu": (
        lambda k, v: normalised(k.exp().triu(-1)),
        lambda k, v: k.masked_fill(torch.ones(5, 5).tril(-2).bool(), -torch.inf).softmax(-1),
    ),
    "masked_fill": (lambda k, v: normalised(stable(k).masked_fill(~KEPT, 0)), causal),
    "masked_fill of zero as a tensor": (
        lambda k, v: normalised(k.exp().masked_fill(~KEPT, torch.zeros(()))),
        causal,
    ),
    "where": (lambda k, v: normalised(torch.where(KEPT, stable(k), 0.0)), causal),
    "where, zeros first": (
        lambda k, v: normalised(torch.where(~KEPT, torch.zeros_like(k), stable(k))),
        causal,
    ),
    "mask of booleans": (lambda k, v: normalised(stable(k) * KEPT), causal),
    "mask of integers": (lambda k, v: normalised(KEPT.long() * stable(k)), causal),
    "mask of numbers": (lambda k, v: normalised(stable(k) * KEPT.double()), causal),
    "twice masked": (
        lambda k, v: normalised(stable(k).tril(1).clone() * KEPT),
        lambda k, v: (k + KEPT.log()).masked_fill(~KEPT, -torch.inf).softmax(-1),
    ),
    "mask of a row": (
        lambda k, v: normalised(stable(k) * torch.tensor([1.0, 0, 1, 1, 0])),
        lambda k, v: k.masked_fill(
            torch.tensor([False, True, False, False, True]), -torch.inf
        ).softmax(-1),
    ),
    "matrix product of masked": (
        lambda k, v: ((k.exp() * KEPT) @ v) / (k.exp() * KEPT).sum(-1, keepdim=True),
        lambda k, v: causal(k, v) @ v,
    ),
    "by comparison with the input": (
        lambda k, v: normalised(k.exp() * (k > k[..., :1] - 9)),
        lambda k, v: k.masked_fill(k <= k[..., :1] - 9, -torch.inf).softmax(-1),
    ),
    "a masked softmax again": (lambda k, v: normalised(k.softmax(-1) * KEPT), causal),
    "weights": (
        lambda k, v: normalised(stable(k) * WEIGHTS),
        lambda k, v: (k + WEIGHTS.log()).softmax(-1),
    ),
}


@pytest.fixture(scope="module")
def explainer():
    return cache(lambda form: relprop.Explainer(build(form, square=True)))


@pytest.mark.parametrize("name", MASKED_FORMS)
def test_it_is_explained_as_the_operation(name, explainer):
    written, torchs = MASKED_FORMS[name]
    presets = PRESETS if name in list(MASKED_FORMS)[::4] else PRESETS[:1]
    assert_explained_alike(explainer(written), explainer(torchs), presets)


PLACES = {
    "of all": lambda k, v: normalised(k.exp() * KEPT),
    "of a row": lambda k, v: normalised(k.exp() * WEIGHTS),
    "of heads": lambda k, v: normalised(torch.ones(2, 1, 1) * k.exp()),
    "of the input": lambda k, v: normalised(k.exp() * (k[:, :, :1] > -9)),
    "stabilised": lambda k, v: (e := k.exp().tril()) / (e.sum(-1) + 1e-9)[..., None],
    "over both dimensions": lambda k, v: k.exp() / (k.exp().sum((2, 3))[:, :, None, None] + 1e-9),
}


@pytest.mark.parametrize("name", PLACES)
def test_new_nodes_have_the_shapes_that_they_compute(name):
    model, x = build(PLACES[name], square=True), signed(3, 6)
    inputs = check_inputs(model, x, None)
    with torch.no_grad():
        graph = capture_model(model, inputs, None, per_input=False).graph
        values = graph.initial_values(inputs.tensors, current_state(model, graph))
        values = graph.compute(graph.output, values)
    assert "softmax" in [node.operation for node in graph.nodes]
    for node in graph.nodes:
        sizes = zip(values[node.name].shape, node.shape, strict=True) if node.shape else ()
        assert all(size == stated or (stated is None and size != 1) for size, stated in sizes), node


def test_a_mask_of_integers_keeps_the_dtype():
    model = build(MASKED_FORMS["mask of integers"][0], square=True).to(torch.bfloat16)
    e = relprop.Explainer(model, "epsilon")(signed(2, 6).bfloat16(), target=1)
    assert e.output.dtype is torch.bfloat16
