"""The numbers of curves: hand-made curves, and statistics whose distribution is known."""

from dataclasses import replace

import pytest
import torch

from relprop.errors import InputError
from relprop.evaluate import (
    MethodCurves,
    Predictions,
    RemovalCurve,
    abpc,
    aopc,
    bootstrap_mean,
    error_rate,
    faithfulness,
    faithfulness_each,
    margin_drop,
    paired_test,
    srg,
)


def curve(scores, order="morf", prediction=None, margin=None, counts=(0, 1, 4)):
    scores = torch.tensor(scores).double()
    n, columns = scores.shape
    prediction = torch.zeros(n, columns).long() if prediction is None else torch.tensor(prediction)
    return RemovalCurve(
        order=order,
        score="logit",
        fill="zero",
        scores=scores,
        predictions=Predictions(prediction, scores if margin is None else torch.tensor(margin)),
        counts=torch.tensor([counts]),
        units=torch.tensor([counts[-1]]),
        target=torch.zeros(n).long(),
        ties=torch.zeros(n).long(),
    )


MORF = curve([[1.0, 0.4, 0.2], [0.8, 0.8, 0.0]])
LERF = curve([[1.0, 0.8, 0.2], [0.8, 0.8, 0.0]], "lerf")


# ---- each sample -----------------------------------------------------------------------


def test_areas_by_hand():
    """Trapezoids over shares 0, 1/4, 1: (1 + 0.4) / 8 + (0.4 + 0.2) * 3 / 8."""
    torch.testing.assert_close(MORF.auc, torch.tensor([0.175 + 0.225, 0.2 + 0.3]).double())
    torch.testing.assert_close(LERF.auc, torch.tensor([0.225 + 0.375, 0.5]).double())
    torch.testing.assert_close(srg(MORF, LERF), torch.tensor([0.2, 0.0]).double())


def test_areas_over_and_between_curves_are_means_over_columns():
    torch.testing.assert_close(aopc(MORF), torch.tensor([1.4 / 3, 0.8 / 3]).double())
    torch.testing.assert_close(abpc(MORF, LERF), torch.tensor([0.4 / 3, 0.0]).double())
    torch.testing.assert_close(abpc(MORF, LERF), aopc(MORF) - aopc(LERF))


def test_misread_is_against_labels_or_what_was_read_before():
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


# ---- shown -----------------------------------------------------------------------------


def test_a_curve_shows_its_mean():
    shown = "<RemovalCurve morf, logit, fill zero, 2 samples: 0.900 0.600 0.100>"
    assert repr(MORF) == str(MORF) == shown


# ---- all of them -----------------------------------------------------------------------


def test_a_method_s_numbers_are_those_of_its_curves():
    random = curve([[1.0, 0.7, 0.2], [0.8, 0.2, 0.0]], "random")
    curves, labels = MethodCurves(MORF, LERF, random), torch.tensor([1, 0])
    got = faithfulness(curves, q=0.25, labels=labels, seed=3)
    assert got.morf == bootstrap_mean(MORF.auc, seed=3)
    assert got.lerf == bootstrap_mean(LERF.auc, seed=3)
    assert got.random == bootstrap_mean(random.auc, seed=3)
    assert got.srg == bootstrap_mean(srg(MORF, LERF), seed=3)
    assert got.abpc == bootstrap_mean(abpc(MORF, LERF), seed=3)
    assert got.aopc == bootstrap_mean(aopc(MORF), seed=3)
    assert got.against_random == paired_test(random.auc, MORF.auc, seed=3)
    assert got.error_rate == bootstrap_mean(error_rate(MORF, 0.25, labels), seed=3)
    assert got.margin_drop == bootstrap_mean(margin_drop(MORF, 0.25), seed=3)
    lines = str(got).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("morf", "lerf", "random", "srg", "abpc", "aopc"),
        *("against_random", "error_rate", "margin_drop"),
    ]
    assert lines[3] == f"srg             {got.srg}"
    short = faithfulness(curves)
    assert (short.error_rate, short.margin_drop) == (None, None)
    assert len(str(short).splitlines()) == 7


def test_methods_have_the_same_numbers_together_as_alone():
    random = curve([[1.0, 0.7, 0.2], [0.8, 0.2, 0.0]], "random")
    methods = {"a": MethodCurves(MORF, LERF, random), "b": MethodCurves(random, MORF, LERF)}
    together = faithfulness_each(methods, q=0.25, seed=3)
    assert together == {name: faithfulness(one, q=0.25, seed=3) for name, one in methods.items()}
