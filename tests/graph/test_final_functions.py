"""Sigmoids and softmaxes are recognised, also where they are written out."""

import re

import pytest
import torch
from helpers.heads import captured

from relprop.graph.final_functions import final_function


def largest(z):
    return z.max(1, keepdim=True).values


FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "expit": torch.special.expit,
    "softmax": lambda z: z.softmax(1),
    "log_softmax": lambda z: torch.special.log_softmax(z, 1),
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "softmax of exp": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "softmax without its maximum": lambda z: (
        (z - largest(z)).exp() / (z - largest(z)).exp().sum(1, True)
    ),
    "softmax, detached and unsqueezed": lambda z: (
        (e := (z - z.amax(1, True).detach()).exp()) / e.sum(1)[:, None]
    ),
    "softmax with a stabiliser": lambda z: z.exp() / (z.exp().sum(1, keepdim=True) + 1e-9),
    "softmax with a bound": lambda z: (
        (e := (z - largest(z)).exp()) * e.sum(1).clamp(min=1e-6)[:, None].reciprocal()
    ),
    "sigmoid by reciprocal": lambda z: (1 + torch.exp(-z)).reciprocal(),
    "sigmoid by power": lambda z: (torch.exp(-z) + 1) ** -1,
    "sigmoid of a product": lambda z: (torch.exp(z * -1) + 1).reciprocal(),
    "sigmoid by quotient": lambda z: z.exp() / (z.exp() + 1),
    "log_softmax by logsumexp": lambda z: z - z.logsumexp(1, keepdim=True),
    "log_softmax by log": lambda z: z - z.exp().sum(1, keepdim=True).log(),
    "log_softmax without its maximum": lambda z: (
        (s := z - largest(z)) - s.exp().sum(1).log().unsqueeze(1)
    ),
}
KINDS = {
    "sigmoid": "independent probabilities",
    "softmax": "probabilities",
    "log_sigmoid": "log-probabilities",
    "log_softmax": "log-probabilities",
}
OTHERS = {
    "exp over the sum of another": lambda z: z.exp() / (2 * z).exp().sum(1, keepdim=True),
    "exp over 1 + the sum": lambda z: z.exp() / (z.exp().sum(1, keepdim=True) + 1),
    "a softmax times a gate": lambda z: z.softmax(1) * z.sum(1, keepdim=True).sigmoid(),
    "exp over 2 + exp": lambda z: z.exp() / (z.exp() + 2),
    "the inverse of 1 + exp of a sum": lambda z: (1 + torch.exp(3 - z)).reciprocal(),
    "without the logsumexp of another": lambda z: z - (2 * z).logsumexp(1, keepdim=True),
    "without the sum": lambda z: z - z.exp().sum(1, keepdim=True),
    "a norm": lambda z: z / z.norm(dim=1, keepdim=True),
    "tanh": torch.tanh,
}


def ends_with(function):
    """Return what the last operation completes, and the name of the logits."""
    graph, _, linear = captured(function)
    nodes = {node.name: node for node in graph.nodes}
    return final_function(nodes[graph.output], nodes), linear


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_from_logits_to_probabilities_is_recognised(name):
    found, linear = ends_with(FUNCTIONS[name])
    expected = re.match(r"\w+", name)[0].replace("expit", "sigmoid")
    assert found == (expected, KINDS[expected], linear)


@pytest.mark.parametrize("name", OTHERS)
def test_what_looks_like_one_is_none(name):
    assert ends_with(OTHERS[name])[0] is None
