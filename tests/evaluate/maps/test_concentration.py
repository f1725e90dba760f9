"""Sparseness and complexity, against other definitions and against scipy."""

import math

import pytest
import torch
from scipy import stats

from relprop.errors import InputError
from relprop.evaluate import complexity, sparseness

GEN = torch.Generator().manual_seed(0)
# whole numbers, so that many are equal, of both signs
TIED = torch.randint(-3, 4, (6, 2, 4, 5), generator=GEN).double()
FINE = torch.randn(6, 2, 4, 5, generator=GEN).double()


def close(got, expected):
    torch.testing.assert_close(got, torch.as_tensor(expected, dtype=torch.float64))


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
