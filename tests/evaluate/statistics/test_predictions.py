"""Predictions and margins, against their closed form."""

import math

import pytest
import torch
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import predict


def test_a_prediction_is_the_largest_score_with_its_margin():
    scores = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 0.0]])
    got = predict(nn.Identity(), scores)
    assert got.prediction.tolist() == [1, 0]
    expected = torch.tensor([1 - math.exp(-1), 1 - math.exp(-5)])  # p2 / p1 = exp(s2 - s1)
    torch.testing.assert_close(got.margin, expected)


def test_batches_change_nothing():
    gen = torch.Generator().manual_seed(0)
    x, model = torch.randn(7, 4, generator=gen), nn.Linear(4, 3)
    whole, parts = predict(model, x, batch_size=7), predict(model, x, batch_size=2)
    assert whole.prediction.equal(parts.prediction)
    torch.testing.assert_close(whole.margin, parts.margin)
    assert not whole.margin.requires_grad


P = torch.tensor([[0.6, 0.3, 0.1], [0.05, 0.15, 0.8]])
MARGINS = torch.tensor([1 - 0.3 / 0.6, 1 - 0.15 / 0.8])


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (P, None),
        (P, "probabilities"),
        (P.log(), None),
        (P.log(), "log-probabilities"),
        (P.log() + 3, None),
        (P.log() + 3, "logits"),
        (P / 2, "independent probabilities"),
    ],
)
def test_margins_are_of_probabilities_whatever_the_model_returns(output, kind):
    got = predict(nn.Identity(), output, output_kind=kind, batch_size=1)
    assert got.prediction.tolist() == [0, 2]
    torch.testing.assert_close(got.margin, MARGINS)


def test_numbers_that_may_be_labels_or_logits_are_refused_with_the_line_to_write():
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()).eval()
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="independent labels, or logits") as error:
        predict(model, x)
    _, line = error.value.todo.split("write ")
    line = line.split(",")[0]
    known = eval(f"dict({line})", {"explanation": relprop.explain(model, x)})
    assert known == {"output_kind": "independent probabilities"}
    top = model(x).detach().sort(1, descending=True).values
    torch.testing.assert_close(predict(model, x, **known).margin, 1 - top[:, 1] / top[:, 0])


def test_an_unknown_kind_is_named_with_the_known_ones():
    for kind in ("softmax", "other", 3):
        with pytest.raises(InputError, match="output_kind=") as error:
            predict(nn.Identity(), P, output_kind=kind)
        assert '"independent probabilities"' in error.value.allowed


def test_a_model_that_gives_nonsense_is_named():
    with pytest.raises(InputError, match="output has NaN or infinite values"):
        predict(nn.Identity(), torch.tensor([[0.0, math.inf]]))
