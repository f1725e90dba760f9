"""Outputs compared at two tolerances."""

import pytest
import torch

from relprop.capture.tolerance import (
    equal_within_precision,
    equal_within_rounding,
    relative_difference,
    rounding_tolerance,
)

EXPECTED = torch.tensor([[1.0, -4.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("change", "precise", "rounded"),
    [(0.0, True, True), (1e-9, True, True), (1e-6, False, True), (0.1, False, False)],
)
def test_the_two_tolerances(change, precise, rounded):
    got = EXPECTED + change
    assert equal_within_precision(got, EXPECTED) == precise
    assert equal_within_rounding(got, EXPECTED) == rounded


def test_lower_precision_is_allowed_more():
    assert equal_within_precision(EXPECTED.bfloat16() * 1.05, EXPECTED.bfloat16())
    assert not equal_within_precision(EXPECTED.float() * 1.05, EXPECTED.float())
    with torch.autocast("cpu", torch.bfloat16):
        assert equal_within_precision(EXPECTED.float() * 1.05, EXPECTED.float())
    assert rounding_tolerance(EXPECTED) == 1e-2


def test_other_shapes_are_not_equal():
    assert not equal_within_precision(EXPECTED[0], EXPECTED)
    assert not equal_within_rounding(EXPECTED[0], EXPECTED)


def test_a_difference_that_is_no_number_is_the_largest():
    assert relative_difference(EXPECTED * torch.nan, EXPECTED) == torch.inf
    assert relative_difference(EXPECTED, EXPECTED * torch.nan) == 0.0  # refused elsewhere


@pytest.mark.parametrize("mask", [-1e9, -3.4e38, -torch.inf])
def test_scores_beside_a_masked_class_are_compared_among_themselves(mask):
    masked = torch.tensor([[mask, 1.0, -4.0]], dtype=torch.float64)
    assert relative_difference(masked + torch.tensor([0.0, 0.4, 0.0]), masked) == pytest.approx(0.1)
    if mask > -torch.inf:
        assert relative_difference(masked * torch.tensor([2, 1, 1]), masked) == 1.0
