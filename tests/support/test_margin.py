"""The margin against its formula."""

import torch

import relprop


def test_margin_on_scores_is_its_formula():
    scores = torch.tensor([[2.0, 8.0, 6.0], [-1.0, -2.0, -4.0]])
    assert relprop.margin(scores, on="scores").tolist() == [0.25, -1.0]
    top = scores.softmax(1).sort(1, descending=True).values
    torch.testing.assert_close(relprop.margin(scores), 1 - top[:, 1] / top[:, 0])
