"""A softmax that is summed over its own axis after a product is attention, by any spelling."""

import pytest
from helpers.close_maps import assert_same
from helpers.graphs import analyse
from helpers.networks import signed
from helpers.written_softmax import attention, build
from torch import Tensor

import relprop

MEANS = {  # of keys (batch, 2, 5, 5) and values (batch, 2, 5, 3): softmax(k) @ v
    "the last axis added": lambda k, v: (k.softmax(-1)[..., None] * v[:, :, None]).sum(3),
    "values first": lambda k, v: (v.unsqueeze(2) * k.softmax(3).unsqueeze(-1)).sum(-2),
    "expanded": lambda k, v: (k.softmax(-1)[..., None].expand(-1, -1, 5, 5, 3) * v[:, :, None]).sum(
        3
    ),
    "transposed": lambda k, v: (k.softmax(-1).mT[:, :, :, :, None] * v[:, :, :, None]).sum(2),
    "a softmax of transposed keys": lambda k, v: (
        k.mT.softmax(2).permute(0, 1, 3, 2).unsqueeze(4) * v[:, :, None]
    ).sum(3),
    "the mean": lambda k, v: 5 * (k.softmax(-1)[..., None] * v[:, :, None]).mean(3),
}


def assert_attention(form, want) -> None:
    x = signed(3, 6)
    for preset in ("attnlrp", "cp-lrp"):
        got = relprop.Explainer(build(form, square=True), preset)(x, target=1)
        assert_same(got.output, want[preset].output, 1e-12)
        assert_same(got.relevance, want[preset].relevance, 1e-12)


@pytest.fixture(scope="module")
def want():
    """Explain attention by a matrix product."""
    model, x = build(attention, square=True), signed(3, 6)
    return {p: relprop.Explainer(model, p)(x, target=1) for p in ("attnlrp", "cp-lrp")}


@pytest.mark.parametrize("name", MEANS)
def test_it_is_explained_as_the_matrix_product(name, want):
    assert_attention(MEANS[name], want)


def gate_of(function) -> str | None:
    """Tell the kind of the product of a softmax with a layer's result."""
    graph, analysis = analyse(lambda x, a, b, *_: function(a(x).softmax(1), b(x)))
    (product,) = [node for node in graph.nodes if node.operation == "mul"]
    return analysis.kinds[product.name]


def pooled(p: Tensor, h: Tensor) -> Tensor:
    return (p * h).sum(1, keepdim=True)


KINDS = {
    "summed over its axis": (pooled, "product"),
    "summed over all": (lambda p, h: (p * h).sum((1,), keepdim=True), "product"),
    "not summed": (lambda p, h: p * h, "gate"),
    "summed over another axis": (
        lambda p, h: (p[..., None] * h[:, None, :]).sum(2),
        "gate",
    ),
    "one entry of it": (lambda p, h: (p[:, :1] * h).sum(1, keepdim=True), "gate"),
    "a sigmoid": (lambda p, h: (h.sigmoid() * h).sum(1, keepdim=True), "gate"),
    "another function of it": (lambda p, h: (p.sqrt() * h).sum(1, keepdim=True), "gate"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_softmax_that_is_not_summed_is_a_gate(name):
    function, kind = KINDS[name]
    assert gate_of(function) == kind


def test_a_row_may_hold_its_weights_constant_yet():
    recipe = relprop.Recipe.preset("attnlrp")
    held = recipe.using(relprop.Selector(operation="mul"), "constant-gate")
    model, x = build(MEANS["the last axis added"], square=True), signed(3, 6)
    got = relprop.Explainer(model, held)(x, target=1)
    by_cp_lrp = relprop.Explainer(model, "cp-lrp")(x, target=1)
    assert_same(got.relevance, by_cp_lrp.relevance, 1e-12)
