"""A record of scores over k: means, paired gains, stability and what suffices, by hand."""

import numpy as np
import pytest
import torch

from relprop.errors import InputError
from relprop.evaluate import bootstrap_mean
from relprop.use.selection.accuracy import AccuracyOverK
from relprop.use.selection.ranking import best_features

RNG = np.random.default_rng(0)
SCORES = {
    "relevance": torch.tensor(RNG.random((50, 3)) < [0.5, 0.8, 0.9]).double(),
    "L1": torch.tensor(RNG.random((50, 3)) < [0.4, 0.7, 0.9]).double(),
}
WHOLE = torch.tensor(RNG.random(50) < 0.85).double()
IMPORTANCE = {
    "relevance": np.array([[0.1, 0.6, 0.3, 0.0], [0.4, 0.5, 0.1, 0.0]]),
    "L1": np.array([[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]),
}
MEASURED = AccuracyOverK(
    tuple("abcd"), "accuracy", (1, 2, 4), SCORES, WHOLE, IMPORTANCE, np.arange(50)
)


def test_estimates_and_gains_are_those_of_the_same_samples():
    assert MEASURED.estimate(2) == bootstrap_mean(SCORES["relevance"][:, 1])
    assert MEASURED.estimate(1, "L1") == bootstrap_mean(SCORES["L1"][:, 0])
    assert MEASURED.gain(4) == bootstrap_mean(SCORES["relevance"][:, 2] - WHOLE)
    want = bootstrap_mean(SCORES["relevance"][:, 1] - SCORES["L1"][:, 1])
    assert MEASURED.gain(2, over="L1") == want


def test_stability_is_the_share_of_outer_folds():
    assert MEASURED.stability(2).tolist() == [0.5, 1, 0.5, 0]
    assert MEASURED.stability(1, "L1").tolist() == [0.5, 0, 0.5, 0]


def test_of_equal_features_the_first_are_the_best():
    assert best_features(np.array([0.2, 0.5, 0.2, 0.1]), 2).tolist() == [True, True, False, False]


def test_the_smallest_k_within_one_standard_error_of_the_best_suffices():
    def sufficient(lost, won):
        """Of 100 samples, of which the smaller k has some wrong, and others right alone."""
        scores = torch.ones(100, 2)
        scores[:lost, 0] = 0
        scores[lost : lost + won, 1] = 0
        return AccuracyOverK(
            ("a", "b"), "accuracy", (1, 2), {"relevance": scores}, scores[:, 1], {}, np.arange(100)
        ).sufficient

    # the standard error of a share p of +1 and q of -1 is sqrt((p + q - (p - q)^2) / 99)
    assert sufficient(0, 0) == 1
    assert sufficient(5, 4) == 1  # 0.01 < 0.030
    assert sufficient(7, 4) == 1  # 0.03 < 0.033
    assert sufficient(8, 4) == 2  # 0.04 > 0.035
    assert sufficient(3, 0) == 2  # 0.03 > 0.017


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: MEASURED.estimate(3), r"k is 3\n.*1, 2, 4\n.*k=4"),
        (lambda: MEASURED.estimate(1, "l1"), r"method.*l1"),
        (lambda: MEASURED.gain(1, over="RFE"), r"RFE"),
        (lambda: MEASURED.stability(1, "RFE"), r"RFE"),
    ],
)
def test_what_was_not_measured_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
