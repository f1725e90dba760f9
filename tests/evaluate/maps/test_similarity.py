"""Similarity of relevance maps, against scipy and against loops."""

import math

import pytest
import torch
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import similarity

GEN = torch.Generator().manual_seed(0)
# whole numbers, so that many are equal, of both signs
TIED = torch.randint(-3, 4, (6, 2, 4, 5), generator=GEN).double()
OTHER = torch.randint(-3, 4, (6, 2, 4, 5), generator=GEN).double()
FINE = torch.randn(6, 2, 4, 5, generator=GEN).double()


def close(got, expected):
    torch.testing.assert_close(got, torch.as_tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("second", [OTHER, FINE, -TIED])
def test_spearman_is_that_of_scipy_sample_by_sample(second):
    expected = [
        stats.spearmanr(a.flatten().numpy(), b.flatten().numpy()).statistic
        for a, b in zip(TIED, second, strict=True)
    ]
    close(similarity(TIED, second).spearman, expected)


def test_cosine_is_a_sum_of_products():
    expected = [
        sum(float(p * q) for p, q in zip(a.flatten(), b.flatten(), strict=True))
        / math.sqrt(float((a**2).sum()) * float((b**2).sum()))
        for a, b in zip(TIED, FINE, strict=True)
    ]
    close(similarity(TIED, FINE).cosine, expected)


def test_a_constant_map_has_no_rank_correlation_and_a_zero_one_no_cosine():
    constant = torch.ones_like(TIED)
    got = similarity(constant, TIED)
    assert got.spearman.isnan().all()
    assert got.cosine.isfinite().all()
    assert similarity(torch.zeros_like(TIED), TIED).cosine.isnan().all()


def test_similarity_is_of_one_shape():
    with pytest.raises(InputError, match=r"shape \(6, 2, 4, 5\) and \(5, 2, 4, 5\)"):
        similarity(TIED, TIED[:5])
