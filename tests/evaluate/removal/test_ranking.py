"""Orders of removal against permutations written by hand."""

import math

import pytest
import torch

from relprop.errors import InputError
from relprop.evaluate import ORDERS, ranking

RELEVANCE = torch.tensor([[0.1, -3.0, 2.0, 0.5], [4.0, 1.0, -1.0, -2.0]])


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
