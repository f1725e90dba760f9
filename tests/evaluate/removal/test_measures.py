"""Measures of hand-made curves."""

from dataclasses import replace

import pytest
import torch
from helpers.hand_made_curves import LERF, MORF, curve

from relprop.errors import InputError
from relprop.evaluate import abpc, aopc, error_rate, margin_drop, srg


def test_areas_over_and_between_curves_are_means_over_columns():
    torch.testing.assert_close(aopc(MORF), torch.tensor([1.4 / 3, 0.8 / 3]).double())
    torch.testing.assert_close(abpc(MORF, LERF), torch.tensor([0.4 / 3, 0.0]).double())
    torch.testing.assert_close(abpc(MORF, LERF), aopc(MORF) - aopc(LERF))


def test_errors_are_against_labels_or_the_original_predictions():
    got = curve([[1.0, 1, 1]] * 3, prediction=[[0, 1, 1], [1, 1, 1], [2, 2, 0]])
    assert error_rate(got, 0.25).tolist() == [1, 0, 0]
    assert error_rate(got, 1.0).tolist() == [1, 0, 1]
    assert error_rate(got, 0.25, torch.tensor([1, 1, 1])).tolist() == [0, 0, 1]


def test_the_margin_drop_is_from_the_untouched_sample():
    got = curve([[1.0, 1, 1]] * 2, margin=[[0.9, 0.5, 0.7], [0.2, 0.1, 0.3]])
    torch.testing.assert_close(margin_drop(got, 0.25), torch.tensor([0.4, 0.1]))
    torch.testing.assert_close(margin_drop(got, 1.0), torch.tensor([0.2, -0.1]))


@pytest.mark.parametrize(
    "other",
    [
        curve([[1.0, 1, 1]]),
        curve([[1.0, 1, 1]] * 2, counts=(0, 2, 4)),
        replace(LERF, fill="blur"),
        replace(LERF, score="margin"),
    ],
)
def test_curves_that_differ_in_more_than_their_order_are_not_subtracted(other):
    for measure in (srg, abpc):
        with pytest.raises(InputError, match="two curves that differ in more than their order"):
            measure(MORF, other)
