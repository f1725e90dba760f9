"""The record of a removal curve: areas, predictions, and how it is shown."""

import pytest
import torch
from helpers.hand_made_curves import LERF, MORF
from helpers.removal_models import weighted

import relprop
from relprop.errors import InputError
from relprop.evaluate import ranking, removal_curve, srg


def test_areas_by_hand():
    """Trapezoids over shares 0, 1/4, 1: (1 + 0.4) / 8 + (0.4 + 0.2) * 3 / 8."""
    torch.testing.assert_close(MORF.auc, torch.tensor([0.175 + 0.225, 0.2 + 0.3]).double())
    torch.testing.assert_close(LERF.auc, torch.tensor([0.225 + 0.375, 0.5]).double())
    torch.testing.assert_close(srg(MORF, LERF), torch.tensor([0.2, 0.0]).double())


def test_a_curve_shows_its_mean():
    shown = "<RemovalCurve morf, logit, fill zero, 2 samples: 0.900 0.600 0.100>"
    assert repr(MORF) == str(MORF) == shown


def test_predictions_are_those_of_every_step_and_looked_up_by_share():
    model, x = weighted(10, samples=20)
    got = removal_curve(model, x, x * model.w, steps=(0.2, 0.5))
    halved = x.scatter(1, ranking(x * model.w)[:, :5], 0.0)
    at = got.at(0.5)
    assert at.prediction.equal(model(halved).argmax(1))
    torch.testing.assert_close(at.margin, relprop.margin(model(halved)).detach())
    with pytest.raises(InputError, match=r"q=0.3, of a curve that has no such step") as caught:
        got.at(0.3)
    assert caught.value.allowed == "0, 0.2, 0.5"
