"""Values that sigmoids and softmaxes alone are combined to, and values that are scores."""

import pytest
import torch
from helpers.heads import captured
from torch import Tensor
from torch.nn import functional

from relprop.graph.probabilities import find_made_of_probabilities

W = torch.tensor([0.3, 0.7]).double()
SQUARE = torch.tensor([[0.2, 0.5, 0.1], [0.3, 0.1, 0.1], [0.5, 0.4, 0.8]]).double()


def stacked(z: Tensor, dim: int = 0) -> Tensor:
    """Stack two softmaxes."""
    return torch.stack([z.softmax(1), (2 * z).softmax(1)], dim)


def experts(z: Tensor) -> Tensor:
    """Return the scores of two experts, (n, 2, 3)."""
    return torch.stack([z, 2 * z], 1)


MADE = {
    "sigmoid": torch.sigmoid,
    "average": lambda z: (z.softmax(1) + (2 * z).softmax(1)) / 2,
    "sum of shares": lambda z: 0.3 * z.softmax(1) + 0.7 * (2 * z).softmax(1),
    "shares that are tensors": lambda z: W[0] * z.softmax(1) + W[1] * (2 * z).softmax(1),
    "mean with a number": lambda z: (2 * stacked(z)).mean(0) / 2,
    "weighted stack": lambda z: (stacked(z) * W[:, None, None]).sum(0),
    "weighted stack, last": lambda z: (W * stacked(z, -1)).sum(-1),
    "weighted stack of scores": lambda z: (experts(z).softmax(2) * W[:, None]).sum(1),
    "weighted stack of labels": lambda z: (experts(z).sigmoid() * W[:, None]).sum(1),
    "einsum": lambda z: torch.einsum("mnc,m->nc", stacked(z), W),
    "einsum of all models and classes": lambda z: torch.einsum(
        "mc, nmc -> nc", W.expand(3, 2).T, stacked(z, 1)
    ),
    "matrix product, after": lambda z: stacked(z, -1) @ W,
    "matrix product, before": lambda z: W @ stacked(z, 1),
    "tensordot": lambda z: torch.tensordot(W, stacked(z), 1),
    "experts": lambda z: (z[:, :2].softmax(1)[..., None] * experts(z).softmax(2)).sum(1),
    "experts by a matrix product": lambda z: torch.bmm(
        z[:, None, :2].softmax(2), experts(z).softmax(2)
    ),
    "object and class": lambda z: z[:, :1].sigmoid() * z.sigmoid(),
    "parent and child": lambda z: z[:, :1].sigmoid() * z.softmax(1),
    "attended labels": lambda z: (experts(z).softmax(1) * experts(-z).sigmoid()).sum(1),
    "normalised": lambda z: functional.normalize(z.softmax(1) ** 2, p=1),
    "cumulative": lambda z: (1 - z.sigmoid()).cumprod(1),
    "one of several": lambda z: 1 - (1 - z.sigmoid()).prod(1),
    "rounded": lambda z: z.sigmoid().round(),
    "largest": lambda z: stacked(z).amax(0),
    "pooled": lambda z: functional.avg_pool1d(z.sigmoid(), 3),
    "chosen": lambda z: torch.where(z > 0, z.sigmoid(), (2 * z).sigmoid()),
    "labels, scaled each": lambda z: z.sigmoid() * SQUARE[0],
}
SCORES = {
    "logits": lambda z: z,
    "gate": lambda z: z * z.sigmoid(),
    "residual": lambda z: z + z.sigmoid(),
    "attention": lambda z: torch.bmm(z[:, :, None].softmax(1), z[:, None]),
    "pooled by attention": lambda z: (experts(z).softmax(1) * experts(z)).sum(1),
    "experts that give scores": lambda z: (z[:, :2].softmax(1)[..., None] * experts(z)).sum(1),
    "beside logits": lambda z: torch.cat([z, z.sigmoid()], 1),
    "layer": lambda z: functional.linear(z.sigmoid(), SQUARE),
    "layer by a matrix product": lambda z: z.softmax(1) @ SQUARE,
    "layer by einsum": lambda z: torch.einsum("nc,cd->nd", z.softmax(1), SQUARE),
    "layer by tensordot": lambda z: torch.tensordot(z.softmax(1), SQUARE, 1),
    "convolution": lambda z: functional.conv1d(z.sigmoid()[:, None], W[None, None]),
    "normalisation": lambda z: functional.layer_norm(z.sigmoid(), (3,)),
    "expected value": lambda z: (z.softmax(1) * SQUARE[0]).sum(1),
    "expected value of several": lambda z: (experts(z).softmax(2) * SQUARE[0]).mean((1, 2)),
    "expected value by einsum": lambda z: torch.einsum("nc,c->n", z.softmax(1), SQUARE[0]),
    "weighted labels": lambda z: (z.sigmoid() * SQUARE[0]).sum(1),
    "weighted labels, beside models": lambda z: (stacked(z, 1) * SQUARE[0]).sum(2),
    "largest of weighted labels": lambda z: (z.sigmoid() * SQUARE[0]).amax(1),
}


@pytest.mark.parametrize("name", [*MADE, *SCORES])
def test_what_is_combined_of_probabilities_alone(name):
    graph, dependent, _ = captured((MADE | SCORES)[name])
    assert (graph.output in find_made_of_probabilities(graph, dependent)) == (name in MADE)
