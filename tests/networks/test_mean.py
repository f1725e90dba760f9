"""Averaged networks: scores, and the relevance of the mean."""

import torch
from torch import nn

from relprop import Explainer
from relprop.networks.mean import MeanOfMembers


def member(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()


def test_the_relevance_of_the_mean_is_the_mean_of_the_relevance():
    members = [member(seed) for seed in range(3)]
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    both = Explainer(MeanOfMembers(members).eval())(x, target=1)
    each = [Explainer(one)(x, target=1) for one in members]
    torch.testing.assert_close(both.output, torch.stack([e.output for e in each]).mean(0))
    torch.testing.assert_close(both.relevance, torch.stack([e.relevance for e in each]).mean(0))
