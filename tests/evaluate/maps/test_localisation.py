"""Localisation, against loops and against the statistic of Mann and Whitney."""

import pytest
import torch
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import localisation

GEN = torch.Generator().manual_seed(0)
# whole numbers, so that many are equal, of both signs
TIED = torch.randint(-3, 4, (6, 2, 4, 5), generator=GEN).double()
FINE = torch.randn(6, 2, 4, 5, generator=GEN).double()
MASK = torch.zeros(4, 5)
MASK[1:3, :2] = 1


def close(got, expected):
    torch.testing.assert_close(got, torch.as_tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("relevance", [TIED, FINE])
def test_localisation_is_that_of_loops_and_of_mann_and_whitney(relevance):
    got = localisation(relevance, MASK)
    for i, sample in enumerate(relevance.sum(1)):
        inside, outside = sample[MASK == 1].tolist(), sample[MASK == 0].tolist()
        u = stats.mannwhitneyu(inside, outside).statistic
        assert float(got.auc[i]) == pytest.approx(u / (4 * 16))
        positive = [sum(max(value, 0.0) for value in part) for part in (inside, outside)]
        assert float(got.mass_accuracy[i]) == pytest.approx(positive[0] / sum(positive))
    assert got.mask_fraction.tolist() == pytest.approx([4 / 20] * 6)


def test_each_sample_may_have_a_mask_of_its_own():
    masks = torch.stack([MASK.roll(i, 1) for i in range(6)])
    got = localisation(FINE, masks[:, None])
    for i in range(6):
        alone = localisation(FINE[i : i + 1], masks[i])
        close(got.mass_accuracy[i : i + 1], alone.mass_accuracy)
        close(got.auc[i : i + 1], alone.auc)


def test_even_relevance_is_inside_by_chance_alone():
    got = localisation(torch.ones(2, 4, 5), MASK)
    close(got.mass_accuracy, got.mask_fraction.double())
    close(got.auc, [0.5, 0.5])


def test_without_positive_relevance_there_is_no_mass_accuracy():
    got = localisation(-MASK[None] - 1, MASK)
    assert got.mass_accuracy.isnan().all()
    assert got.auc.tolist() == [0.0]
    assert "mass accuracy  undefined" in repr(got)


def test_masks_must_fit():
    with pytest.raises(InputError, match=r"a mask of shape \(5, 4\) for .* \(6, 4, 5\)"):
        localisation(FINE, MASK.T)
    masks = torch.stack([MASK] * 6)
    for wrong in (0.0, 1.0):
        masks[2] = wrong
        with pytest.raises(InputError, match="nothing or everything, first for sample 2"):
            localisation(FINE, masks)
