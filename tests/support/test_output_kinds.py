"""Probabilities of outputs, by their kind."""

import torch

from relprop.support.output_kinds import (
    both_classes,
    largest_class,
    predicted_classes,
    probabilities_of,
    second_class,
)

Z = torch.tensor([[1.0, 3.0, -2.0], [0.5, 0.0, 0.1]]).double()


def test_every_kind_of_output_gives_the_same_probabilities():
    p = Z.exp() / Z.exp().sum(1, keepdim=True)
    torch.testing.assert_close(probabilities_of(Z, "logits"), p)
    torch.testing.assert_close(probabilities_of(p.log(), "log-probabilities"), p)
    assert probabilities_of(p, "probabilities") is p
    assert probabilities_of(Z.sigmoid(), "independent probabilities").equal(Z.sigmoid())
    assert probabilities_of(Z, "other") is None


def test_logits_that_are_not_by_classes_have_none():
    assert probabilities_of(Z[:, :1], "logits") is None
    assert probabilities_of(Z[:, :, None], "logits") is None


def test_scores_decide_between_classes_of_the_same_output_alone():
    output = torch.tensor([[0.5, 1.0, 1.0, 0.2], [0.0, 0.1, 0.0, 0.0]])
    scores = torch.tensor([[99.0, 40.0, 50.0, 1.0], [-5.0, -6.0, -torch.inf, -4.0]])
    assert largest_class(output, scores).tolist() == [2, 1]
    assert second_class(output, scores).tolist() == [1, 3]
    assert predicted_classes(output, scores, None).tolist() == [2, 1]
    assert largest_class(output, output).tolist() == [1, 1]
    assert second_class(output, output).tolist() == [2, 0]


def test_one_unit_predicts_its_class_where_its_probability_is_above_one_half():
    z = Z[:, 2]
    p = z[:, None].sigmoid()
    assert predicted_classes(z.sigmoid(), z, z.sigmoid()).tolist() == [0, 1]
    assert predicted_classes(p, z[:, None], p).tolist() == [0, 1]
    assert predicted_classes(z, z, None) is None
    assert both_classes(torch.tensor([[0.25], [1.0]])).tolist() == [[0.75, 0.25], [0.0, 1.0]]
