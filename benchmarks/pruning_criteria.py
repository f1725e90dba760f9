"""Criteria that channels are ranked by, beside relevance: what others remove channels by.

Takes a model, samples and names of layers. Gives a number for each channel, the lowest removed
first. Each is the mean over samples of a formula, for the loss L = cross-entropy of the true class.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from relprop.use.pruning.relevance import channel_relevance

Scores = dict[str, Tensor]
Criterion = Callable[[nn.Module, Tensor, Tensor, Sequence[str]], Scores]


def taylor(model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str]) -> Scores:
    """|mean over space of a dL/da| (Molchanov et al. 2017, equation 8)."""
    found = _with_gradients(model, x, y, layers)
    return {n: _by_channel(a * g).mean(2).abs().mean(0) for n, (a, g) in found.items()}


def gradient(model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str]) -> Scores:
    """Mean over space of |dL/da|, as Yeom et al. 2021 compare with."""
    found = _with_gradients(model, x, y, layers)
    return {n: _by_channel(g).abs().mean((0, 2)) for n, (_, g) in found.items()}


def weight_norm(model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str]) -> Scores:
    """Euclidean norm of the weights that make a channel (Li et al. 2017, with its L1 norm)."""
    return {n: _weight(model, n).flatten(1).norm(dim=1) for n in layers}


def at_random(model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str]) -> Scores:
    """Random numbers, of torch's generator."""
    return {n: torch.rand(len(_weight(model, n))) for n in layers}


CRITERIA: dict[str, Criterion] = {
    "relevance": channel_relevance,
    "Taylor": taylor,
    "gradient": gradient,
    "weight norm": weight_norm,
    "random": at_random,
}

# How the scores of a layer are made comparable to those of others: what they are divided by.
NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": torch.ones_like,
    "sum": lambda s: s.sum(),
    "Euclidean": lambda s: s.norm(),
    "largest": lambda s: s.max(),
}


def normed(scores: Scores, name: str) -> Scores:
    """Divide each layer's scores by one of NORMS."""
    return {n: s.double() / NORMS[name](s.double()).clamp(min=1e-30) for n, s in scores.items()}


def _weight(model: nn.Module, name: str) -> Tensor:
    weight = model.get_submodule(name).weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def _by_channel(values: Tensor) -> Tensor:
    """Return (n, channels, places) of what a convolution or a linear layer returns."""
    return values.double().reshape(*values.shape[:2], -1)


def _with_gradients(
    model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return outputs of layers and the gradients of the loss by them."""
    outputs: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(n).register_forward_hook(
            lambda module, args, output, n=n: outputs.__setitem__(n, output)
        )
        for n in layers
    ]
    try:
        with torch.enable_grad():
            loss = cross_entropy(model(x), y, reduction="sum")
            gradients = torch.autograd.grad(loss, [outputs[n] for n in layers])
    finally:
        for handle in handles:
            handle.remove()
    return {n: (outputs[n].detach(), g) for n, g in zip(layers, gradients, strict=True)}
