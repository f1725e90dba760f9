"""Arithmetic around zero."""

import torch

from relprop.support.numerics import divide, stabilise, times


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
    factor, value = torch.tensor([0.0, 2.0, 0.0]), torch.tensor([-torch.inf, 3.0, 1.0])
    assert times(factor, value).tolist() == [0, 6, 0]
