"""Statistics of what is left: against those of the whole model, layer by layer."""

import copy

import pytest
import torch
from torch import nn

from relprop.use.pruning.groups import find_groups, remove_channels
from relprop.use.pruning.matching import match_statistics

pytest.importorskip("torch_pruning")


def networks():
    """A network with and without BatchNorm behind its layers, its pruned copy, what is left."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.Conv2d(6, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 8), nn.ReLU()),
        nn.Linear(8, 3),
    )
    model(torch.randn(64, 2, 6, 6))  # statistics of BatchNorm
    model = model.double().eval()
    x = torch.randn(12, 2, 6, 6, dtype=torch.float64)
    removed = {"0": (1, 4), "3": (0, 2), "6": (0, 1, 5)}
    kept = {}
    for group in find_groups(model, x).groups:
        kept |= group.kept(removed[group.name])
    return model, remove_channels(model, x[:1], removed), x, kept


def outputs(model, x):
    found, one = {}, x
    for name, module in model.named_children():
        found[name] = one = module(one)
    return found


def test_outputs_have_the_mean_and_spread_that_they_had():
    model, pruned, x, kept = networks()
    before = copy.deepcopy(model.state_dict())
    assert kept["1"].tolist() == kept["0"].tolist() == [0, 2, 3, 5]
    match_statistics(model, pruned, x, kept)
    was, now = outputs(model, x), outputs(pruned, x)
    for name in ("1", "3", "6", "8"):
        axes = (0,) if was[name].ndim == 2 else (0, 2, 3)
        places = kept.get(name, torch.arange(3))
        for of in (torch.Tensor.mean, torch.Tensor.std):
            expected = of(was[name], axes)[places]
            assert (of(now[name], axes) - expected).abs().max() < 1e-10
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks for m in (*model.modules(), *pruned.modules()))


def test_what_lost_nothing_and_what_runs_twice_stay_as_they_are():
    model, _, x, _ = networks()
    same = copy.deepcopy(model)
    match_statistics(model, same, x, {})
    assert (same(x) - model(x)).abs().max() < 1e-12
    twice = Twice().double().eval()
    other = copy.deepcopy(twice)
    with torch.no_grad():
        other.layer.weight.mul_(2)
    expected = other(torch.ones(2, 3).double())
    match_statistics(twice, other, torch.randn(4, 3).double(), {})
    assert torch.equal(other(torch.ones(2, 3).double()), expected)


class Twice(nn.Module):
    """A layer that runs two times."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(self.layer(x))
