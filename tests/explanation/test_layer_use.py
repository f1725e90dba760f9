"""How layers are used: on networks of which every number is known."""

import copy

import pytest
import torch
from torch import nn

from relprop.errors import InputError, VanishingWarning
from relprop.explanation.layer_use import channels_that_carry, radius_of
from relprop.use import utilisation


def test_numbers_of_a_network_that_is_written_out():
    """Inputs of 1, one class: channels carry 4, 2, 0 and 0; biases absorb 3 of a score of 7."""
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).double().eval()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1, 1], [0, 1], [1, 0], [-1, 0]]))
        model[0].bias.copy_(torch.tensor([2, 0, 0, 0]))
        model[2].weight.copy_(torch.tensor([[1, 2, 0, 5], [0, 0, 0, 0]]))
        model[2].bias.copy_(torch.tensor([1, 0]))
    before = copy.deepcopy(model.state_dict())
    x = torch.ones(3, 2, dtype=torch.float64)
    used = utilisation(model, x, torch.zeros(3, dtype=torch.long), recipe="zero")
    (layer,) = used.layers
    assert (layer.name, layer.channels, layer.dead, layer.carrying) == ("0", 4, 2, 2)
    assert layer.absorbed_by_bias == pytest.approx(2 / 7, abs=1e-12)
    assert layer.radius is None
    assert used.widths == {"0": 2}
    assert used.samples == 3
    sentence = "0: 50% of 4 channels carry 99% of relevance; 2 are dead"
    assert str(used).splitlines()[-1] == f"{sentence}; its bias absorbs 29% of the score"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("size", "kernel", "radius"), [(9, 3, 1), (9, 5, 2), (9, 1, 0)])
def test_the_receptive_field_of_equal_weights_is_the_kernel(size, kernel, radius):
    """A k x k convolution of ones on ones: all k^2 pixels carry the same, the corners count."""
    layer = nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False)
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(size**2, 2, bias=False)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1)
    used = utilisation(model, torch.ones(2, 1, size, size), torch.tensor([0, 1]), recipe="zero")
    assert used.layers[0].radius == radius
    assert used.layers[0].absorbed_by_bias == 0


def test_a_radius_is_that_of_the_smallest_square_with_the_part():
    """Against a loop: squares grown pixel by pixel, of odd and even sizes."""
    generator = torch.Generator().manual_seed(0)
    for size in (7, 8):
        maps = torch.randn(5, 2, size, size, generator=generator, dtype=torch.float64)
        for i, one in enumerate(maps.abs().sum(1)):
            radius = 0
            while True:
                low, high = (size - 1) // 2 - radius, size // 2 + radius + 1
                if one[low:high, low:high].sum() >= 0.9 * one.sum():
                    break
                radius += 1
            assert radius_of(maps)[i] == radius
    assert radius_of(torch.zeros(1, 1, 5, 5)).isnan().all()


def test_channels_that_carry_are_the_fewest():
    assert channels_that_carry(torch.tensor([0.5, 0.3, 0.2]), 0.8) == 2
    assert channels_that_carry(torch.tensor([0.2, 0.3, 0.5]), 0.81) == 3
    assert channels_that_carry(torch.tensor([0.0, 0.0])) == 0


class NamedBackwards(nn.Module):
    """Two layers whose sum is the scores, named before the one that they read; one never runs."""

    def __init__(self):
        super().__init__()
        self.never = nn.Linear(3, 3)
        self.head, self.around = nn.Linear(3, 2), nn.Linear(2, 2)
        self.body = nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.body(x).relu()) + self.around(x)


def test_the_layers_that_make_the_scores_are_found_wherever_they_are_named():
    torch.manual_seed(0)
    used = utilisation(NamedBackwards().eval(), torch.ones(4, 2), torch.arange(4) % 2)
    assert [(one.name, one.channels) for one in used.layers] == [("body", 3)]


def test_a_model_of_one_layer_has_none_to_describe():
    with pytest.raises(InputError, match="a model of 1 convolutions and linear layers") as caught:
        utilisation(nn.Linear(2, 2).eval(), torch.ones(2, 2), torch.tensor([0, 1]))
    assert caught.value.todo == "pass a deeper model"


@pytest.mark.parametrize(
    ("x", "y", "todo"),
    [
        ([1.0], torch.tensor([0]), "write x=torch.as_tensor(x)"),
        (torch.ones(2, 2), [0, 1], "write y = torch.as_tensor(y).long()"),
        (torch.ones(2, 2), torch.tensor([0]), "give them in pairs"),
        (torch.ones(2, 2), torch.tensor([0.0, 1.0]), "write y = torch.as_tensor(y).long()"),
        (
            torch.ones(2, 2),
            torch.tensor([0, -1]),
            "leave samples without a class out: x[y >= 0], y[y >= 0]",
        ),
        (torch.ones(0, 2), torch.tensor([]).long(), "pass samples as x"),
    ],
)
def test_samples_without_their_classes_are_an_error(x, y, todo):
    with pytest.raises(InputError) as caught:
        utilisation(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).eval(), x, y)
    assert caught.value.todo == todo


def test_a_layer_without_relevance_is_called_so():
    layers = [nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(8, 2)]
    model = nn.Sequential(*layers).eval()
    with torch.no_grad():
        model[0].weight.fill_(-1)
        model[0].bias.zero_()
    with pytest.warns(VanishingWarning):
        used = utilisation(model, torch.ones(2, 1, 6, 6), torch.tensor([0, 1]))
    assert (used.layers[0].dead, used.layers[0].radius) == (3, None)
    assert used.layers[0].sentence() == "0: no relevance passes its 3 channels"
