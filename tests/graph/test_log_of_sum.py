"""Log-softmaxes that are written in a way that is not known end a model: they are refused."""

import pytest
import torch
from helpers.graphs import analyse
from torch import Tensor

from relprop.graph.squashing import find_squashing


def log_sum(z: Tensor) -> Tensor:
    return (z - z.amax(1, keepdim=True)).exp().sum(1, keepdim=True).log()


NEARLY = {
    "a stabiliser in the logarithm": lambda z: z - (z.exp().sum(1, keepdim=True) + 1e-3).log(),
    "its half": lambda z: z - 0.5 * z.logsumexp(1, keepdim=True),
    "a mean": lambda z: z - z.exp().mean(1, keepdim=True).log(),
    "the maximum lacks": lambda z: z - log_sum(z),
    "of some classes": lambda z: z[:, 1:] - z.logsumexp(1, keepdim=True),
    "a column of numbers": lambda z: (
        z - (z.exp() @ torch.tensor([[1.0], [2], [1], [1]]).double()).log()
    ),
    "the other way round": lambda z: 0.5 * z.logsumexp(1, keepdim=True) - z,
}
SCORES = {
    "of another layer": lambda z, h: h - z.logsumexp(1, keepdim=True),
    "the logarithm of the sum itself": lambda z, h: (
        (m := z.amax(1, keepdim=True)) + (z - m).exp().sum(1, keepdim=True).log()
    ),
    "the logarithm of one exponential": lambda z, h: z - z.exp().log() / 2,
    "a plain difference": lambda z, h: z - h,
    "the mean": lambda z, h: z - z.mean(1, keepdim=True),
}


@pytest.mark.parametrize("name", NEARLY)
def test_a_value_minus_the_logarithm_of_its_exponentials_squashes(name):
    graph, analysis = analyse(lambda x, a, *_: NEARLY[name](a(x)))
    found = find_squashing(graph, analysis.dependent, graph.output)
    assert [node.operation for node in found] == ["sub"]


@pytest.mark.parametrize("name", SCORES)
def test_other_sums_and_differences_are_scores(name):
    graph, analysis = analyse(lambda x, a, b, *_: SCORES[name](a(x), b(x)))
    operations = [n.operation for n in find_squashing(graph, analysis.dependent, graph.output)]
    assert not {"add", "sub"}.intersection(operations)
