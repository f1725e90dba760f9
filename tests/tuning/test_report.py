"""Gains by class."""

import pytest
import torch

from relprop.tuning.report import gains_by_class


def test_each_class_has_the_mean_of_its_own_samples():
    differences = torch.tensor([1.0] * 5 + [-0.5] * 6 + [9.0] * 4, dtype=torch.float64)
    classes = torch.tensor([2] * 5 + [0] * 6 + [1] * 4)
    found = gains_by_class(differences, classes)
    assert [(one.number, one.gain.difference.mean, one.gain.difference.n) for one in found] == [
        (0, -0.5, 6),
        (2, 1.0, 5),
    ]
    assert found[0].gain.p_value == pytest.approx(2 / 2**6)


def test_an_output_without_classes_has_none():
    assert gains_by_class(torch.ones(6), None) == ()
