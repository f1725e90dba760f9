"""Feature removal: orders and removal against closed forms."""

import math

import pytest
import torch

from relprop.errors import InputError
from relprop.evaluate import ORDERS, feature_count, ranking, remove

RELEVANCE = torch.tensor([[0.1, -3.0, 2.0, 0.5], [4.0, 1.0, -1.0, -2.0]])


# ---- orders ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "expected"),
    [("morf", [[2, 3, 0, 1], [0, 1, 2, 3]]), ("lerf", [[1, 0, 3, 2], [3, 2, 1, 0]])],
)
def test_signed_relevance_is_ranked_from_its_highest_or_lowest(order, expected):
    assert ranking(RELEVANCE, order).tolist() == expected


def test_features_of_any_shape_are_counted_row_by_row():
    assert ranking(RELEVANCE.reshape(2, 1, 2, 2)).tolist() == ranking(RELEVANCE).tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_every_row_is_a_permutation(order):
    relevance = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0)).round()
    assert (ranking(relevance, order).sort(1).values == torch.arange(12)).all()


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_equal_relevance_is_ordered_by_the_seed_and_not_by_position(order):
    """With nothing but ties the order is the random one, and differs from sample to sample."""
    ties = torch.zeros(50, 20)
    assert ranking(ties, order, seed=3).equal(ranking(ties, "random", seed=3))
    assert not ranking(ties, order, seed=3).equal(ranking(ties, order, seed=4))
    assert len(set(ranking(ties, order)[:, 0].tolist())) > 10


def test_ties_stay_behind_what_is_more_relevant():
    relevance = torch.zeros(50, 20)
    relevance[:, 7] = 1.0
    assert (ranking(relevance, "morf")[:, 0] == 7).all()
    assert (ranking(relevance, "lerf")[:, -1] == 7).all()


def test_random_order_does_not_look_at_relevance():
    assert ranking(RELEVANCE, "random").equal(ranking(RELEVANCE * math.nan, "random"))


# ---- removal ---------------------------------------------------------------------------


def test_a_linear_score_falls_to_the_sum_of_what_is_left():
    """Without the first k features, w.x is the sum of the contributions of the rest."""
    gen = torch.Generator().manual_seed(0)
    x, w = torch.randn(4, 6, generator=gen).double(), torch.randn(6, generator=gen).double()
    order = ranking(x * w, "morf")
    contributions = (x * w).sort(1, descending=True).values
    for count in range(7):
        got = remove(x, order, count) @ w
        torch.testing.assert_close(got, contributions[:, count:].sum(1))


def test_removed_features_become_the_fill_and_the_input_stays():
    x = torch.arange(8.0).reshape(2, 1, 2, 2)
    kept = x.clone()
    got = remove(x, torch.tensor([[3, 0, 1, 2], [1, 2, 0, 3]]), 2, fill=-1.0)
    assert got.flatten(1).tolist() == [[-1, 1, 2, -1], [4, -1, -1, 7]]
    assert got.shape == x.shape
    assert x.equal(kept)


def test_a_share_is_a_rounded_number_of_features():
    assert feature_count(0.1, 784) == 78
    assert feature_count(1.0, 784) == 784


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1, math.nan, 1e-4])
def test_a_share_out_of_range_says_what_is_allowed(q):
    with pytest.raises(InputError, match="the share of the 784 features to remove") as caught:
        feature_count(q, 784)
    assert "above 0, at most 1" in caught.value.allowed


# ---- bad input -------------------------------------------------------------------------


def test_relevance_that_is_not_a_number_cannot_be_ranked():
    with pytest.raises(InputError, match="relevance has NaN values"):
        ranking(torch.tensor([[0.0, math.nan]]))


def test_an_unknown_order_is_named_with_the_known_ones():
    with pytest.raises(InputError, match="order='best'") as caught:
        ranking(RELEVANCE, "best")
    assert caught.value.allowed == "one of morf, lerf, random"


def test_relevance_without_a_batch_is_refused():
    with pytest.raises(InputError, match=r"relevance of shape \(4,\)"):
        ranking(torch.zeros(4))


@pytest.mark.parametrize(("rows", "count"), [(3, 1), (2, 5), (2, -1)])
def test_an_order_that_does_not_fit_the_batch_is_refused(rows, count):
    with pytest.raises(InputError, match=rf"{count} features to remove by an order of shape"):
        remove(torch.zeros(2, 4), torch.zeros(rows, 4, dtype=torch.long), count)
