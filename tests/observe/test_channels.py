"""Conditional relevance: only what passes some channels of a layer, as in CRP."""

import pytest
import torch
from helpers.nested_cnn import PIXELS, nested_cnn
from helpers.networks import pixels, randomise, signed
from torch import nn

import relprop


@pytest.fixture(scope="module")
def explainer() -> relprop.Explainer:
    return relprop.Explainer(randomise(nested_cnn()).double(), "zero")


@pytest.mark.parametrize("preset", ["zero", "epsilon-plus-flat"])
def test_the_parts_through_each_channel_add_up_to_the_whole(explainer, preset):
    explainer = explainer.with_recipe(preset)
    whole = explainer(PIXELS, target=1).relevance
    parts = [
        explainer(PIXELS, target=1, conditions={"2.1": channel}).relevance for channel in range(6)
    ]
    torch.testing.assert_close(torch.stack(parts).sum(0), whole)
    some = explainer(PIXELS, target=1, conditions={"2": [0, 5]}).relevance
    torch.testing.assert_close(some, parts[0] + parts[5])


def test_a_channel_alone_is_the_model_with_the_others_weights_zero(explainer):
    model = randomise(nested_cnn()).double()
    model[4].weight.data.unflatten(1, (6, 9))[:, 1:] = 0.0
    want = relprop.explain(model, PIXELS, "zero", target=1).relevance
    got = explainer(PIXELS, target=1, conditions={"2": 0}).relevance
    torch.testing.assert_close(got, want)


def test_masks_of_places_and_conditions_at_two_modules(explainer):
    place = torch.zeros(1, 3, 3, dtype=torch.bool)
    place[0, 1, 2] = True
    at_place = explainer(PIXELS, target=1, conditions={"2": place}, layers=["2"])
    assert ((at_place.layers["2"] != 0).sum((1, 2, 3)) <= 6).all()
    assert (at_place.relevance[..., :2, :] == 0).all()  # what that place cannot see
    assert (at_place.relevance[..., :4] == 0).all()
    assert (at_place.relevance[..., 2:10, 4:] != 0).any()
    both = explainer(PIXELS, target=1, conditions={"2": 3, "0": 1}, layers=["0"])
    assert (both.layers["0"][:, [0, 2, 3]] == 0).all()
    assert (both.layers["0"][:, 1] != 0).any()


def test_channels_of_what_is_no_map():
    model = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))).double()
    explainer, x = relprop.Explainer(model, "zero"), pixels(2, 3, 4)  # (batch, rows, features)
    e = explainer(x, target=relprop.at(2, 1), conditions={"1": [2]}, layers=["1"])
    assert (e.layers["1"][..., [0, 1, 3, 4]] == 0).all()
    assert e.layers["1"][:, 2, 2].any()


class Moved(nn.Module):
    """Channels last, as in ConvNeXt and Swin: convolution, then linear layers on its channels."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.LayerNorm(4)
        self.up, self.down, self.head = nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = self.up(self.conv(x).permute(0, 2, 3, 1)).relu()
        return self.head((self.down(h).permute(0, 3, 1, 2) + self.conv(x)).mean((2, 3)))


CONVS = (nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 3, 3), nn.Flatten())


MAPS = (nn.Conv3d(1, 3, 3), nn.BatchNorm3d(3), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(24, 2))


TEXT = (nn.Linear(5, 4), nn.ReLU(), nn.Flatten(1, 2), nn.Linear(4, 3), nn.Flatten())


@pytest.mark.parametrize(
    ("model", "shape", "at", "dim"),
    [
        (nn.Sequential(*CONVS, nn.Linear(24, 2)), (2, 10), "0", 1),
        (nn.Sequential(*CONVS, nn.Linear(24, 2)), (2, 10), "1", 1),
        (nn.Sequential(*MAPS), (1, 6, 6, 6), "2", 1),
        (nn.Sequential(*TEXT, nn.Linear(36, 2)), (3, 4, 5), "0", 3),
        (Moved(), (2, 5, 5), "up", 3),
        (Moved(), (2, 5, 5), "conv", 1),
    ],
)
def test_channels_are_those_of_the_operation_that_made_the_value(model, shape, at, dim):
    """Gradient x input where the gradient of the other channels is stopped."""
    model, x = randomise(model).double(), signed(3, *shape)
    explainer = relprop.Explainer(model, "zero")
    got = explainer(x, 0, conditions={at: [0, 1]}, keep_parallel=True).relevance

    def stop(module, arguments, h):
        kept = torch.zeros(h.shape[dim], dtype=h.dtype)
        kept[:2] = 1
        kept = kept.reshape(-1, *[1] * (h.ndim - 1 - dim))
        return h * kept + (h * (1 - kept)).detach()

    leaf = x.clone().requires_grad_()
    with model.get_submodule(at).register_forward_hook(stop):
        score = model(leaf)[:, 0].sum()
    torch.testing.assert_close(got, x * torch.autograd.grad(score, leaf)[0])


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.fold, self.head = nn.Linear(4, 6), Fold(), nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.fold(self.layer(x)).flatten(1).relu())


class Fold(nn.Module):
    def forward(self, x):
        return x.reshape(-1, 2, 3)


def test_where_the_channels_are_not_known_a_mask_is_asked_for():
    model, x = randomise(Folded()).double(), signed(2, 4)
    explainer = relprop.Explainer(model, "zero")
    with pytest.raises(relprop.RelpropError, match="boolean tensor \\(2, 3\\)"):
        explainer(x, 0, conditions={"fold": [0]})
    mask = torch.zeros(2, 3, dtype=torch.bool)
    mask[1, 2] = True
    got = explainer(x, 0, conditions={"fold": mask}).relevance
    torch.testing.assert_close(got, explainer(x, 0, conditions={"layer": 5}).relevance)
    with pytest.raises(relprop.RelpropError, match=r"mask of shape \(3,\)"):
        explainer(x, 0, conditions={"fold": torch.ones(3, dtype=torch.bool)})


def test_globs_choose_modules_and_all_conditions_hold(explainer):
    want = explainer(PIXELS, 1, conditions={"2": [1], "0": [1]}).relevance
    assert explainer(PIXELS, 1, conditions={"[02]": [1]}).relevance.equal(want)
    assert not want.equal(explainer(PIXELS, 1).relevance)
    assert explainer(PIXELS, 1, conditions={"2": [1, 2], "2.*": [1, 3], "0": 1}).relevance.equal(
        want
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"conditions": {"2": 6}}, r'channels 6 of "2"(.|\n)*0 to 5'),
        ({"conditions": {"2": [0.5]}}, r"channels \[0.5\]"),
        ({"conditions": {"2": []}}, r"channels \[\]"),
        ({"conditions": {"nine": 0}}, "layer 'nine'"),
        ({"conditions": {"2": torch.ones(5, 3, 3)}}, r"mask of shape \(5, 3, 3\)"),
        ({"conditions": {"2": 0.5 * torch.ones(6, 3, 3)}}, "mask of shape"),
        ({"conditions": {"2": None}}, "channels None"),
        ({"conditions": {"2": "a"}}, "channels 'a'"),
        ({"conditions": {2: [0]}}, "module 2 in conditions"),
        ({"conditions": ["2"]}, r"conditions=\['2'\]"),
    ],
)
def test_conditions_that_make_no_sense(explainer, arguments, message):
    with pytest.raises(relprop.RelpropError, match=message):
        explainer(PIXELS, **arguments)
