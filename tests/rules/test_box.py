"""z-box by its formula, whatever arrives, with bounds of any shape."""

from functools import partial

import pytest
import torch
from helpers import reference_rules as reference
from helpers.dense_layer import assert_runs_by, dense_layer
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.rules.backward import Form
from relprop.rules.box import bound, run_box

BOUNDS = {
    "numbers": (-3.0, 3.0),
    "a number for each input": (-3 - signed(6, seed=5).abs(), 3 + signed(6, seed=6).abs()),
}


@pytest.mark.parametrize("arriving", Form)
@pytest.mark.parametrize("name", BOUNDS)
def test_it_runs_by_its_formula(name, arriving):
    low, high = BOUNDS[name]
    layer = dense_layer(arriving=arriving)
    shares = partial(reference.z_box, low=low, high=high)
    assert_runs_by(shares, run_box(low, high, layer), layer, gives=Form.RELEVANCE)


def test_a_bound_for_each_channel_broadcasts_to_a_sample():
    low, sample = torch.tensor([-1.0, -2.0]).reshape(2, 1, 1), torch.zeros(1, 2, 3, 3)
    assert bound(low, sample)[0, :, 2, 1].tolist() == [-1.0, -2.0]


def test_a_bound_that_does_not_broadcast_is_refused():
    with pytest.raises(InputError, match=r"bound of shape \(4,\) for a sample of shape \(2, 3\)"):
        bound(torch.zeros(4), torch.zeros(1, 2, 3))


def test_a_folded_batchnorm_leaves_the_output_as_other_rules_do():
    """To the last bit, where scales differ so much that a scaled weight would round the sum."""
    net = randomise(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()))
    net[1].running_var.data = torch.tensor([1e-9, 3e-3, 7.0, 1e4])
    x = signed(2, 3, 5, 5).float()
    explainer = relprop.Explainer(net, "zero")
    box = relprop.Recipe.preset("zero").using("0", "z-box", low=-4.0, high=4.0)
    got = explainer.with_recipe(box)(x, target=0).output
    assert torch.equal(got, explainer(x, target=0).output)
