"""Mixed pictures and labels, for a linear model whose relevance is known."""

import pytest
import torch
from torch import nn

from relprop.errors import InputError
from relprop.use import RelevanceMix
from relprop.use.augmentation.mix import partner_weight


def linear(weights):
    model = nn.Linear(len(weights[0]), len(weights), bias=False)
    model.weight.data = torch.tensor(weights)
    return model


def test_the_most_relevant_entries_are_pasted_and_labels_mixed_by_what_is_kept():
    """Relevance is x * w of the true class; each of the two samples is the other's partner."""
    model = linear([[6.0, 1.0, 1.0, 2.0], [0.0, 4.0, 1.0, 3.0]])
    x = torch.tensor([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]])
    mix = RelevanceMix(2, share=0.25, block=1, probability=1.0, randomness=0.0)
    mixed, labels = mix(model, x, torch.tensor([0, 1]))
    assert mixed.tolist() == [[1.0, 2.0, 1.0, 1.0], [1.0, 2.0, 2.0, 2.0]]
    kept, came = torch.tensor([9 / 10, 8 / 8]), torch.tensor([4 / 8, 6 / 10])
    other = came / (kept + came)
    expected = torch.stack([1 - other, other], 1)
    expected[1] = expected[1].flip(0)  # the second sample is of class 1
    torch.testing.assert_close(labels, expected)
    assert x.tolist() == [[1.0] * 4, [2.0] * 4]


def test_part_of_a_batch_is_mixed_and_the_rest_keeps_its_class():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 3))
    x, y = torch.rand(8, 1, 8, 8), torch.arange(8) % 3
    mixed, labels = RelevanceMix(3, share=0.25, block=4)(model, x, y)
    changed = (mixed != x).flatten(1).double().mean(1)
    assert changed.sort().values.tolist() == [0.0] * 4 + [0.25] * 4
    torch.testing.assert_close(labels.sum(1), torch.ones(8))
    one_hot = nn.functional.one_hot(y, 3).float()
    assert labels[changed == 0].equal(one_hot[changed == 0])
    assert model.training
    loss = nn.functional.cross_entropy(model(mixed), labels)
    assert loss.isfinite()


def test_weights_of_labels_one_by_one_and_where_relevance_is_not_positive():
    own = torch.tensor([[3.0, 1.0, -2.0, 0.0], [-1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]])
    partner = torch.tensor([[2.0, 0.0, 0.0, 2.0], [1.0, 1.0, 1.0, 1.0], [4.0, 4.0, 0.0, -1.0]])
    pasted = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]]).bool()
    # kept: 1/4; half of the blocks, as nothing is positive; 0. came: 1/2; 1/2; 0: so the area
    expected = torch.tensor([0.5 / 0.75, 0.5, 0.25])
    torch.testing.assert_close(partner_weight(own, partner, pasted), expected)


def test_a_batch_without_a_pair_is_left():
    x = torch.rand(1, 4)
    mixed, labels = RelevanceMix(2, block=1, probability=1.0)(nn.Linear(4, 2), x, torch.tensor([1]))
    assert mixed.equal(x)
    assert labels.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "classes is 1\n.*\n.*write classes=10"),
        ({"classes": True}, "classes is True"),
        ({"classes": 3, "share": 1}, "share is 1"),
        ({"classes": 3, "block": -1}, "block is -1"),
        ({"classes": 3, "probability": 2}, "probability is 2"),
        ({"classes": 3, "randomness": 3}, "randomness is 3"),
        ({"classes": 3, "recipe": "lrp"}, "unknown preset"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        RelevanceMix(**arguments)


def test_classes_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"class 3\n.*classes from 0 to 2\n.*write classes=4"):
        RelevanceMix(3, block=1)(nn.Linear(4, 3), torch.rand(2, 4), torch.tensor([0, 3]))


def test_other_classes_than_outputs_are_refused():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    mix = RelevanceMix(classes=5, block=4, probability=1.0)
    with pytest.raises(InputError, match="classes is 5, of a model with 3 outputs") as caught:
        mix(model, torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))
    assert caught.value.todo == "write classes=3"
