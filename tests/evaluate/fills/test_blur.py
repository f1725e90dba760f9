"""Blur against two loops."""

import torch
from helpers.fill_values import values

from relprop.evaluate import blur


def test_blur_is_a_gaussian_mean_of_the_picture():
    """Against two loops over an impulse, and a flat image that stays as it is."""
    x = torch.zeros(1, 1, 21, 21).double()
    x[0, 0, 10, 10] = 1.0
    got = values(blur(1.5), x)[0, 0]
    offsets = torch.arange(-5, 6).double()  # three deviations, rounded up
    bell = torch.exp(-(offsets**2) / (2 * 1.5**2))
    expected = torch.zeros(21, 21).double()
    for i in range(11):
        for j in range(11):
            expected[5 + i, 5 + j] = bell[i] * bell[j] / bell.sum() ** 2
    torch.testing.assert_close(got, expected)
    flat = torch.full((1, 3, 8, 8), 0.7).double()
    torch.testing.assert_close(values("blur", flat), flat)
    torch.testing.assert_close(values("blur", x), values(blur(2.1), x))
