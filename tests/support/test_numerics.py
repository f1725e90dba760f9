"""Arithmetic around zero, and the first sample that is not finite."""

import pytest
import torch

from relprop.errors import NumberError
from relprop.support.numerics import check_finite, divide, first_not_finite, stabilise, times

INFINITY = torch.inf


def test_the_sign_of_minus_zero_is_positive():
    z = torch.tensor([0.0, -0.0, 2.0, -2.0])
    assert stabilise(z, 0.5).tolist() == [0.5, 0.5, 2.5, -2.5]


def test_a_quotient_by_zero_is_zero_and_so_is_its_gradient():
    numerator, denominator = torch.tensor([3.0, 3.0, 0.0]), torch.tensor([2.0, 0.0, 0.0])
    assert divide(numerator, denominator).tolist() == [1.5, 0, 0]
    with torch.no_grad():
        assert divide(numerator, denominator).tolist() == [1.5, 0, 0]
    leaves = numerator.requires_grad_(), denominator.requires_grad_()
    of_numerator, of_denominator = torch.autograd.grad(divide(*leaves).sum(), leaves)
    assert of_numerator.tolist() == [0.5, 0, 0]
    assert of_denominator.tolist() == [-0.75, 0, 0]


def test_a_factor_of_zero_hides_infinity():
    factor, value = torch.tensor([0.0, 2.0, 0.0]), torch.tensor([-INFINITY, 3.0, 1.0])
    assert times(factor, value).tolist() == [0, 6, 0]


def test_large_finite_numbers_are_finite_though_their_sum_is_not():
    values = torch.full((2, 3), 3e38)
    assert first_not_finite(values) is None
    values[1, 2] = torch.nan
    assert first_not_finite(values) == 1


@pytest.mark.parametrize("bad", [INFINITY, -INFINITY, torch.nan])
def test_the_sample_that_is_named_is_the_users(bad):
    values = torch.zeros(4, 2)
    values[2, 1] = bad
    with pytest.raises(NumberError, match=r"output for sample 12 is not finite, at the end"):
        check_finite(values, "output", ", at the end", "check it", start=10)
