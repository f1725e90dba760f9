"""Samples with units removed, against closed forms and against what a curve runs the model on."""

import math

import pytest
import torch
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import (
    delete,
    grouped,
    neighbours,
    patches,
    ranking,
    removal_curve,
    remove_units,
)

GEN = torch.Generator().manual_seed(0)
IMAGES = torch.rand(5, 2, 6, 6, generator=GEN).double()
RELEVANCE = torch.randn(5, 2, 6, 6, generator=GEN).double().round()  # with ties


def test_a_linear_score_falls_to_the_sum_of_what_is_left():
    """Without the first k features, w.x is the sum of the contributions of the rest."""
    x, w = torch.randn(4, 6, generator=GEN).double(), torch.randn(6, generator=GEN).double()
    contributions = (x * w).sort(1, descending=True).values
    for count in range(1, 7):
        left = remove_units(x, x * w, count / 6) @ w
        torch.testing.assert_close(left, contributions[:, count:].sum(1))


def test_removed_entries_are_replaced_and_the_input_stays():
    x = torch.arange(8.0).reshape(2, 1, 2, 2)
    before = x.clone()
    order = torch.tensor([[3, 0, 1, 2], [1, 2, 0, 3]])
    removed = remove_units(x, None, 0.5, order=order, fill=-1.0)
    assert removed.flatten(1).tolist() == [[-1, 1, 2, -1], [4, -1, -1, 7]]
    assert removed.shape == x.shape
    assert x.equal(before)


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
@pytest.mark.parametrize("fill", ["zero", "marginal", "gaussian", neighbours(), "blur"])
def test_it_is_what_a_curve_runs_the_model_on(order, fill):
    model, _ = weighted(2, 6, 6)
    seen = []
    model.register_forward_hook(lambda m, args, out: seen.append(args[0]))
    settings = {"order": order, "fill": fill, "units": patches(2), "seed": 3}
    removal_curve(model, IMAGES, RELEVANCE, steps=(1 / 3, 2 / 3), batch_size=5, **settings)
    for q, expected in zip((1 / 3, 2 / 3), seen[1:], strict=True):
        assert remove_units(IMAGES, RELEVANCE, q, **settings).equal(expected)


def test_a_share_is_of_each_sample_s_own_units():
    units = grouped(torch.tensor([[0, 1, 2, 3], [0, 0, 1, 1]]))
    x = torch.tensor([[1.0, 2, 3, 4], [1, 2, 3, 4]])
    assert remove_units(x, x, 0.5, units=units).tolist() == [[1, 2, 0, 0], [1, 2, 0, 0]]


def test_a_mapping_returns_a_mapping():
    ids = torch.tensor([[2, 3, 4], [5, 6, 0]])
    text = {"input_ids": ids, "attention_mask": (ids != 0).long(), "scale": 2.0}
    removed = remove_units(text, ids.double(), 0.5, fill=delete())
    assert removed["input_ids"].tolist() == [[2, 0, 0], [5, 0, 0]]
    assert removed["attention_mask"].tolist() == [[1, 0, 0], [1, 0, 0]]
    assert removed["scale"] == 2.0
    other = remove_units({"a": ids, "b": ids}, ids.double(), 1 / 3, remove_from="b")
    assert other["a"].equal(ids)
    assert other["b"].tolist() == [[2, 3, 0], [5, 0, 0]]


def test_random_units_need_no_relevance():
    expected = IMAGES.clone()
    order = ranking(torch.zeros(5, 36), "random", seed=1)[:, :18]
    expected.flatten(2).scatter_(2, order[:, None].expand(-1, 2, -1), 0.0)
    assert remove_units(IMAGES, None, 0.5, order="random", seed=1).equal(expected)


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1, math.nan, 1e-4])
def test_a_share_out_of_range_says_what_is_allowed(q):
    with pytest.raises(InputError, match="the share to remove of samples with 36 units") as caught:
        remove_units(IMAGES, RELEVANCE, q)
    assert caught.value.allowed == "above 0, at most 1, and more than half a unit (q > 0.014)"


def test_relevance_is_a_tensor():
    with pytest.raises(InputError, match="relevance of type function"):
        remove_units(IMAGES, lambda model, x, target: x, 0.5)
    with pytest.raises(InputError, match='no relevance for order="morf"'):
        remove_units(IMAGES, None, 0.5)
