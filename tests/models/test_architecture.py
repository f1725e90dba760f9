"""Architectures: lists of layers become models and back, and nothing else is built."""

import pytest
import torch
from torch import nn

from relprop.errors import InputError
from relprop.models.architecture import ARCHITECTURES, build, describe


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_built_is_described_by_the_same_list(name):
    described = describe(build(ARCHITECTURES[name], device="meta"))
    assert repr(build(described, "meta")) == repr(build(ARCHITECTURES[name], "meta"))
    assert describe(build(described, "meta")) == described


def test_on_the_meta_device_nothing_is_drawn():
    before = torch.get_rng_state()
    build(ARCHITECTURES["mnist-dnn-500"], device="meta")
    assert torch.get_rng_state().equal(before)


NOT_DESCRIBED = {
    "unlisted layer": (nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Tanh()), "layer 2 is Tanh"),
    "unlisted setting": (nn.Sequential(nn.Conv2d(1, 1, 2, dilation=2)), "dilation="),
    "no bias": (nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False)), "bias=False"),
    "empty": (nn.Sequential(), "it is a Sequential"),
}


@pytest.mark.parametrize("kind", NOT_DESCRIBED)
def test_a_model_with_other_layers_or_settings_is_refused(kind):
    model, message = NOT_DESCRIBED[kind]
    with pytest.raises(InputError, match=message):
        describe(model)


@pytest.mark.parametrize("layer", [{"layer": "os.system"}, {"layer": ["relu"]}, "relu", {}])
def test_a_layer_that_is_not_listed_is_not_built(layer):
    with pytest.raises(InputError, match="layer 0 of the architecture is"):
        build([layer])
