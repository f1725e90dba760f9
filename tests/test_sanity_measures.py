"""Measures of relevance alone, each against its definition in loops or in scipy."""

import math

import pytest
import torch
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import complexity, localisation, similarity, sparseness

GEN = torch.Generator().manual_seed(0)
# whole numbers, so that many are equal, of both signs
TIED = torch.randint(-3, 4, (6, 2, 4, 5), generator=GEN).double()
OTHER = torch.randint(-3, 4, (6, 2, 4, 5), generator=GEN).double()
FINE = torch.randn(6, 2, 4, 5, generator=GEN).double()


def close(got, expected):
    torch.testing.assert_close(got, torch.as_tensor(expected, dtype=torch.float64))


# ---- similarity ------------------------------------------------------------------------


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


def test_relevance_that_says_nothing_has_no_similarity():
    constant = torch.ones_like(TIED)
    got = similarity(constant, TIED)
    assert got.spearman.isnan().all()
    assert got.cosine.isfinite().all()
    assert similarity(torch.zeros_like(TIED), TIED).cosine.isnan().all()


def test_similarity_is_of_one_shape():
    with pytest.raises(InputError, match=r"shape \(6, 2, 4, 5\) and \(5, 2, 4, 5\)"):
        similarity(TIED, TIED[:5])


# ---- concentration ---------------------------------------------------------------------


@pytest.mark.parametrize("relevance", [TIED, FINE, FINE.float()])
def test_sparseness_is_half_the_relative_mean_difference(relevance):
    """The Gini index by its other definition: all pairs of features."""
    expected = []
    for sample in relevance.double().abs().flatten(1):
        pairs = sum(abs(float(a - b)) for a in sample for b in sample)
        expected.append(pairs / (2 * len(sample) * float(sample.sum())))
    close(sparseness(relevance), expected)


@pytest.mark.parametrize("relevance", [TIED, FINE])
def test_complexity_is_the_entropy_of_scipy(relevance):
    close(complexity(relevance), stats.entropy(relevance.abs().flatten(1).numpy(), axis=1))


def test_concentration_at_its_ends():
    large = -1e308  # the sum of which would overflow
    ends = large * torch.stack([torch.ones(8), torch.eye(8)[3]]).double()
    close(sparseness(ends), [0.0, 1 - 1 / 8])
    close(complexity(ends), [math.log(8), 0.0])


def test_the_concentration_of_nothing_is_undefined():
    for measure in (sparseness, complexity):
        got = measure(torch.stack([torch.zeros(5), torch.arange(5.0)]))
        assert got.isnan().tolist() == [True, False]


@pytest.mark.parametrize("relevance", [torch.ones(4), torch.tensor([[1.0, math.nan]]), [[1.0]]])
def test_concentration_is_of_finite_relevance_of_a_batch(relevance):
    for measure in (sparseness, complexity):
        with pytest.raises(InputError, match="relevance of") as error:
            measure(relevance)
        assert error.value.allowed == "a tensor (n, *features) of finite numbers"


# ---- localisation ----------------------------------------------------------------------

MASK = torch.zeros(4, 5)
MASK[1:3, :2] = 1


@pytest.mark.parametrize("relevance", [TIED, FINE])
def test_localisation_is_that_of_loops_and_of_mann_and_whitney(relevance):
    got = localisation(relevance, MASK)
    for i, sample in enumerate(relevance.sum(1)):
        inside, outside = sample[MASK == 1].tolist(), sample[MASK == 0].tolist()
        u = stats.mannwhitneyu(inside, outside).statistic
        assert float(got.area[i]) == pytest.approx(u / (4 * 16))
        positive = [sum(max(value, 0.0) for value in part) for part in (inside, outside)]
        assert float(got.share[i]) == pytest.approx(positive[0] / sum(positive))
    assert got.size.tolist() == pytest.approx([4 / 20] * 6)


def test_each_sample_may_have_a_mask_of_its_own():
    masks = torch.stack([MASK.roll(i, 1) for i in range(6)])
    got = localisation(FINE, masks[:, None])
    for i in range(6):
        alone = localisation(FINE[i : i + 1], masks[i])
        close(got.share[i : i + 1], alone.share)
        close(got.area[i : i + 1], alone.area)


def test_even_relevance_is_inside_by_chance_alone():
    got = localisation(torch.ones(2, 4, 5), MASK)
    close(got.share, got.size.double())
    close(got.area, [0.5, 0.5])


def test_without_positive_relevance_there_is_no_share():
    got = localisation(-MASK[None] - 1, MASK)
    assert got.share.isnan().all()
    assert got.area.tolist() == [0.0]
    assert "share  undefined" in repr(got)


def test_masks_must_fit():
    with pytest.raises(InputError, match=r"a mask of shape \(5, 4\) for .* \(6, 4, 5\)"):
        localisation(FINE, MASK.T)
    masks = torch.stack([MASK] * 6)
    for wrong in (0.0, 1.0):
        masks[2] = wrong
        with pytest.raises(InputError, match="nothing or everything, first for sample 2"):
            localisation(FINE, masks)
