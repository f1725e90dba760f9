"""What squashes the end of a model, and what does not."""

import pytest
import torch
from helpers.heads import captured
from torch.nn import functional

from relprop.graph.squashing import find_squashing

SQUASHING = {
    "tanh": (torch.tanh, "tanh"),
    "tanh, scaled": (lambda z: 0.5 + 2 * z.tanh(), "tanh"),
    "tanh, scaled by a tensor": (lambda z: z.tanh() * torch.ones(3), "tanh"),
    "tanh, rectified": (lambda z: z.tanh().relu(), "tanh"),
    "tanh, reshaped": (lambda z: z.tanh().reshape(-1, 3, 1).squeeze(2), "tanh"),
    "tanh beside logits": (lambda z: torch.cat([z, z.tanh()], 1), "tanh"),
    "atan": (torch.atan, "atan"),
    "erf": (torch.erf, "erf"),
    "softplus": (functional.softplus, "softplus"),
    "exp": (torch.exp, "exp"),
    "hardsigmoid": (functional.hardsigmoid, "hardsigmoid"),
    "hardtanh": (functional.hardtanh, "hardtanh"),
    "clamp": (lambda z: z.clamp(0, 1), "clamp"),
    "softsign": (functional.softsign, "div"),
    "division by a sum": (lambda z: z.relu() / z.relu().sum(1, keepdim=True), "div"),
    "mean of softmax": (lambda z: torch.stack([z, 2 * z]).softmax(2).mean(0), "softmax"),
    "sum of sigmoids": (lambda z: z.sigmoid() + (2 * z).sigmoid(), "sigmoid"),
    "upsampled softmax": (
        lambda z: functional.interpolate(z.softmax(1)[:, None], 6, mode="linear"),
        "softmax",
    ),
    "largest of sigmoids": (lambda z: z.sigmoid().amax(1), "sigmoid"),
    "pooled sigmoids": (lambda z: functional.avg_pool1d(z.sigmoid(), 3), "sigmoid"),
    "square root of softmax": (lambda z: z.softmax(1).sqrt(), "softmax"),
    "shares of softmax": (
        lambda z: 0.3 * z.softmax(1)[:, :2] + 0.7 * z.softmax(1)[:, 1:],
        "softmax",
    ),
    "product of sigmoids": (lambda z: z[:, :1].sigmoid() * z.sigmoid(), "sigmoid"),
    "product of sigmoids beside logits": (
        lambda z: torch.cat([z, z[:, :1].sigmoid() * z.sigmoid()], 1),
        "sigmoid",
    ),
}
OTHERS = {
    "logits": lambda z: z,
    "relu": torch.relu,
    "gelu": functional.gelu,
    "leaky_relu": functional.leaky_relu,
    "residual": lambda z: z + z.tanh(),
    "a norm": functional.normalize,
    "a norm by hand": lambda z: z / (z.square().sum(1, keepdim=True) + 1e-6).sqrt(),
    "a gate": lambda z: z * z.sigmoid(),
    "a mean of tanh": lambda z: z.tanh().mean(1),
    "an expected value": lambda z: (z.softmax(1) * torch.tensor([1.0, 2.0, 3.0])).sum(1),
    "capped logits": lambda z: 30 * torch.tanh(z / 30),
    "layers after sigmoids": lambda z: functional.linear(
        z[:, :1].sigmoid() * z.sigmoid(), torch.ones(2, 3).double()
    ),
    "attention": lambda z: torch.bmm(z[:, :, None].softmax(1), z[:, None]),
}


@pytest.mark.parametrize("name", SQUASHING)
def test_what_squashes_the_output_is_found(name):
    function, operation = SQUASHING[name]
    graph, dependent, _ = captured(function)
    found = find_squashing(graph, dependent, graph.output)
    assert {node.operation for node in found} == {operation}


def test_all_that_squashes_is_found_in_the_order_of_running():
    graph, dependent, _ = captured(
        lambda z: torch.cat([z.softmax(1) * z[:, :1].sigmoid(), z.tanh()], 1)
    )
    found = find_squashing(graph, dependent, graph.output)
    assert [node.operation for node in found] == ["softmax", "sigmoid", "tanh"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_keeps_the_map_of_the_scores_is_let_pass(name):
    graph, dependent, _ = captured(OTHERS[name])
    assert find_squashing(graph, dependent, graph.output) == ()


def test_capping_by_another_number_than_the_scale_squashes():
    graph, dependent, _ = captured(lambda z: 30 * torch.tanh(z / 20))
    (found,) = find_squashing(graph, dependent, graph.output)
    assert found.operation == "tanh"
