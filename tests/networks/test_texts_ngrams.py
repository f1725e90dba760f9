"""The linear network over n-grams: its ratios are naive-Bayes weights; padding is nothing."""

import numpy as np
import pytest
import torch

from relprop.networks.family import Facts
from relprop.networks.texts_ngrams import Ngrams

IDS = torch.tensor([[2, 3, 0], [2, 0, 0], [3, 4, 2], [4, 0, 0]])
OCCURS = np.array([[0, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]])


def network(task="classes", outputs=2):
    model = Ngrams({"strength": 0.5}, Facts("text", task, outputs, 4, (3,), vocabulary=5))
    return model.eval()


def log_ratio(of):
    """The definition, one n-gram after the other."""
    inside, outside = OCCURS[of], OCCURS[~of]
    p = 1 + inside.sum(0)[1:]
    q = 1 + outside.sum(0)[1:]
    return np.log(p / p.sum()) - np.log(q / q.sum())


def test_ratios_of_classes_are_logarithms_of_shares():
    model = network(outputs=3)
    classes = np.array([0, 0, 1, 2])
    model.start(IDS, torch.tensor(classes))
    for c in range(3):
        np.testing.assert_allclose(model.ratio[1:, c], log_ratio(classes == c), rtol=1e-5)
    assert torch.equal(model.ratio[0], torch.zeros(3))


def test_each_label_has_ratios_of_its_own():
    model = network("labels")
    labels = np.array([[1, 0], [1, 1], [0, 1], [0, 1]])
    model.start(IDS, torch.tensor(labels, dtype=torch.float32))
    for label in range(2):
        np.testing.assert_allclose(
            model.ratio[1:, label], log_ratio(labels[:, label] == 1), rtol=1e-5
        )


def test_ratios_of_a_value_are_its_means_drawn_to_0():
    model = network("value", outputs=1)
    model.start(IDS, torch.tensor([[1.0], [-0.5], [3.0], [-2.0]]))
    np.testing.assert_allclose(
        model.ratio[:, 0], [0, 0, (1 - 0.5 + 3) / 4, (1 + 3) / 3, (3 - 2) / 3], rtol=1e-6
    )


def test_a_score_is_the_sum_over_the_ngrams_of_a_text():
    model = network()
    model.start(IDS, torch.tensor([0, 0, 1, 1]))
    with torch.no_grad():
        model.bias.copy_(torch.tensor([0.25, -0.25]))
        scores = model(torch.tensor([[2, 4, 0, 0], [0, 0, 0, 0]]))
    torch.testing.assert_close(scores[0], 0.5 * (model.ratio[2] + model.ratio[4]) + model.bias)
    assert torch.equal(scores[1], model.bias)


@pytest.mark.parametrize("more", [0, 7])
def test_padding_changes_nothing(more):
    model = network()
    model.start(IDS, torch.tensor([0, 0, 1, 1]))
    padded = torch.nn.functional.pad(IDS, (0, more))
    assert torch.equal(model(padded), model(IDS))
