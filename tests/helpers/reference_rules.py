"""Reference implementation of LRP rules: dense matrices, one sample, as the papers write them.

Slow on purpose, in float64, and independent of the package: nothing here imports it. Every rule
is a matrix of shares s (inputs, outputs) with R_i = sum_j s_ij R_j, written from

    c   c_ij = x_i w_ij, the contribution of input i to output j     (inputs, outputs)
    b   the bias, the contribution of an input that is always 1      (outputs,)
    z   sum_i c_ij + b_j                                             (outputs,)
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from helpers.networks import Concat, Residual

STABILISER = 1e-6  # of every rule but zero (none) and epsilon (its parameter)


@dataclass(frozen=True)
class Affine:
    """A weighted sum at one sample, as a matrix.

    x (inputs,)   w (outputs, inputs)   b (outputs,)
    connected (outputs, inputs)   1 where a weight joins the two, whatever its value
    """

    x: Tensor
    w: Tensor
    b: Tensor
    connected: Tensor

    @property
    def c(self) -> Tensor:
        return self.x[:, None] * self.w.T

    @property
    def z(self) -> Tensor:
        return self.w @ self.x + self.b


Rule = Callable[..., Tensor]  # (Affine, **parameters) -> shares (inputs, outputs)


def plus(t: Tensor) -> Tensor:
    """The positive part."""
    return t.clamp(min=0)


def minus(t: Tensor) -> Tensor:
    """The negative part, which is not positive."""
    return t.clamp(max=0)


def stab(z: Tensor, eps: float | Tensor = STABILISER) -> Tensor:
    """Move z away from zero by eps; zero counts as positive."""
    return torch.where(z < 0, z - eps, z + eps)


# ---- the rules ---------------------------------------------------------------------------------


def epsilon(a: Affine, epsilon: float = 1e-6, relative: bool = False) -> Tensor:
    """x_i w_ij / (z_j + eps sign z_j); relative: eps in units of the root mean square of z.

    A denominator that is exactly zero has no shares to give.
    """
    z = stab(a.z, epsilon * a.z.square().mean().sqrt() if relative else epsilon)
    return torch.where(z == 0, 0.0, a.c / z)


def zero(a: Affine) -> Tensor:
    """x_i w_ij / z_j."""
    return epsilon(a, 0.0)


def gamma(a: Affine, gamma: float = 0.25) -> Tensor:
    """(c + gamma c^+) / (sum c + b + gamma (c^+ and b^+)) where z > 0; with ^- where z < 0."""
    raised, lowered = a.c + gamma * plus(a.c), a.c + gamma * minus(a.c)
    up = raised / stab(raised.sum(0) + a.b + gamma * plus(a.b))
    down = lowered / stab(lowered.sum(0) + a.b + gamma * minus(a.b))
    return torch.where(a.z > 0, up, 0.0) + torch.where(a.z < 0, down, 0.0)


def gamma_by_sign(a: Affine, positive: float = 0.25, negative: float = 0.0) -> Tensor:
    """As gamma, with `positive` where z > 0 and `negative` where z < 0."""
    above, below = gamma(a, positive), gamma(a, negative)
    return torch.where(a.z > 0, above, 0.0) + torch.where(a.z < 0, below, 0.0)


def alpha_beta(a: Affine, alpha: float = 2.0, beta: float = 1.0) -> Tensor:
    """The positive part alpha c^+ / (sum c^+ + b^+), less beta c^- / (sum c^- + b^-)."""
    positive = plus(a.c) / stab(plus(a.c).sum(0) + plus(a.b))
    negative = minus(a.c) / stab(minus(a.c).sum(0) + minus(a.b))
    return alpha * positive - beta * negative


def z_plus(a: Affine) -> Tensor:
    """c^+ / (sum c^+ + b^+)."""
    return alpha_beta(a, 1.0, 0.0)


def flat(a: Affine) -> Tensor:
    """1 / (number of inputs connected to j), whatever x and w are."""
    return (a.connected / stab(a.connected.sum(1, keepdim=True))).T


def w_squared(a: Affine) -> Tensor:
    """w_ij^2 / (sum_i w_ij^2 + b_j^2)."""
    return (a.w.square() / stab(a.w.square().sum(1) + a.b.square())[:, None]).T


def z_box(a: Affine, low: float | Tensor, high: float | Tensor) -> Tensor:
    """(x_i w_ij - low_i w_ij^+ - high_i w_ij^-) / sum_i of the same; the bias cancels."""
    parts = a.c - (low * plus(a.w) + high * minus(a.w)).T
    return parts / stab(parts.sum(0))


RULES: dict[str, Rule] = {
    "zero": zero,
    "epsilon": epsilon,
    "gamma": gamma,
    "gamma-by-sign": gamma_by_sign,
    "alpha-beta": alpha_beta,
    "z-plus": z_plus,
    "flat": flat,
    "w-squared": w_squared,
    "z-box": z_box,
}


# ---- layers as matrices ------------------------------------------------------------------------

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
CONVOLUTIONS += (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
WEIGHTED = (nn.Linear, *CONVOLUTIONS)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
MAX_POOLS += (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
AVERAGE_POOLS += (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
RESHAPES = (nn.Flatten, nn.Unflatten, nn.Dropout, nn.Identity)


def matrix(function: Callable[[Tensor], Tensor], shape: torch.Size) -> tuple[Tensor, Tensor]:
    """W (outputs, inputs) and b (outputs,) of an affine function of one sample of shape.

    Column i is what the i-th unit vector gives.
    """
    inputs = shape.numel()
    units = torch.eye(inputs, dtype=torch.float64).reshape(inputs, *shape)
    b = function(torch.zeros(1, *shape, dtype=torch.float64)).reshape(-1)
    return (function(units).reshape(inputs, -1) - b).T, b


def connections(layer: nn.Module, shape: torch.Size) -> Tensor:
    """1 where the layer has a weight between output and input, else 0."""
    ones = copy.deepcopy(layer)
    ones.weight.data.fill_(1.0)
    if ones.bias is not None:
        ones.bias.data.zero_()
    return matrix(ones, shape)[0].round()


def affine(layers: list[nn.Module], x: Tensor) -> Affine:
    """One weighted sum, or average pool, and the BatchNorm behind it if there is one, at x."""
    w, b = matrix(nn.Sequential(*layers), x.shape)
    weighted = isinstance(layers[0], WEIGHTED)
    joined = connections(layers[0], x.shape) if weighted else (w != 0).double()
    return Affine(x.reshape(-1), w, b, joined)


def winners(pool: nn.Module, x: Tensor, relevance: Tensor) -> Tensor:
    """Pass all of each output's relevance of a max pool to the input that it took."""
    pool = copy.deepcopy(pool)
    pool.return_indices = True
    index = pool(x[None])[1][0].flatten(1)  # (channels, outputs): positions within a channel
    below = torch.zeros(x.shape, dtype=torch.float64).flatten(1)
    for channel, positions in enumerate(index):
        for j, i in enumerate(positions):
            below[channel, i] += relevance.reshape(index.shape)[channel, j]
    return below.reshape(-1)


# ---- networks ----------------------------------------------------------------------------------

RuleOf = Callable[[str, nn.Module], tuple[str, Mapping[str, object]]]


@dataclass(frozen=True)
class Definition:
    """The rule of each weighted sum by name, of average pools, and the stabiliser of x + y."""

    rule_of: RuleOf
    pool: str = "epsilon"
    sums: float = 0.0


def uniform(rule: str, **parameters: object) -> RuleOf:
    """The same rule at every weighted sum."""
    return lambda name, layer: (rule, parameters)


def merged(net: nn.Sequential) -> list[tuple[str, list[nn.Module]]]:
    """The layers of net by name; a BatchNorm joins the weighted sum that it follows."""
    steps: list[tuple[str, list[nn.Module]]] = []
    for name, layer in net.named_children():
        if isinstance(layer, NORMS) and steps and isinstance(steps[-1][1][-1], WEIGHTED):
            steps[-1][1].append(layer)
        else:
            steps.append((name, [layer]))
    return steps


@torch.no_grad()
def below(net: nn.Module, x: Tensor, relevance: Tensor, how: Definition, at: str = "") -> Tensor:
    """Relevance of the input x of one sample, from the relevance of net's output.

    x (*features)   relevance: flat, as many as the output has   at: net's name in the network
    Returns a flat tensor, as many as x has.
    """
    if isinstance(net, nn.Sequential):
        return _sequence(net, x, relevance, how, at)
    if isinstance(net, Residual):
        return _residual(net, x, relevance, how, at)
    if isinstance(net, Concat):
        return _concat(net, x, relevance, how, at)
    return _layer([net], x, relevance, how, at)


def _sequence(net: nn.Sequential, x: Tensor, relevance: Tensor, how: Definition, at: str) -> Tensor:
    forward = []
    for name, layers in merged(net):
        forward.append((name, layers, x))
        x = nn.Sequential(*layers)(x[None])[0]
    for name, layers, x in reversed(forward):
        name = f"{at}.{name}" if at else name
        if len(layers) == 1 and isinstance(layers[0], nn.Sequential | Residual | Concat):
            relevance = below(layers[0], x, relevance, how, name)
        else:
            relevance = _layer(layers, x, relevance, how, name)
    return relevance


def _layer(
    layers: list[nn.Module], x: Tensor, relevance: Tensor, how: Definition, name: str
) -> Tensor:
    first = layers[0]
    if isinstance(first, WEIGHTED):
        rule, parameters = how.rule_of(name, first)
        return RULES[rule](affine(layers, x), **parameters) @ relevance
    if isinstance(first, AVERAGE_POOLS):
        return RULES[how.pool](affine(layers, x)) @ relevance
    if isinstance(first, MAX_POOLS):
        return winners(first, x, relevance)
    if isinstance(first, RESHAPES) or first.__module__ == "torch.nn.modules.activation":
        return relevance
    raise NotImplementedError(f"{name}: {first}")


def _residual(net: Residual, x: Tensor, relevance: Tensor, how: Definition, at: str) -> Tensor:
    """Each summand gets its own share of the sum; a sum of zero has no shares to give."""
    summand = net.body(x[None])[0].reshape(-1)
    z = stab(x.reshape(-1) + summand, how.sums)
    share = torch.where(z == 0, 0.0, relevance / z)
    name = f"{at}.body" if at else "body"
    return x.reshape(-1) * share + below(net.body, x, summand * share, how, name)


def _concat(net: Concat, x: Tensor, relevance: Tensor, how: Definition, at: str) -> Tensor:
    sizes = [branch(x[None]).numel() for branch in net.branches]
    total = torch.zeros(x.numel(), dtype=torch.float64)
    for k, (branch, part) in enumerate(zip(net.branches, relevance.split(sizes), strict=True)):
        name = f"{at}.branches.{k}" if at else f"branches.{k}"
        total += below(branch, x, part, how, name)
    return total


def explain(
    net: nn.Module,
    x: Tensor,
    rule_of: RuleOf,
    initial: Tensor | None = None,
    *,
    pool: str = "epsilon",
    sums: float = 0.0,
) -> Tensor:
    """Relevance of a batch, one sample at a time.

    x (n, *features)   initial (n, classes), the relevance of the output; left out, each sample's
    strongest class starts with its own score. Returns the shape of x.
    """
    if initial is None:
        z = net(x).detach()
        initial = torch.where(z == z.amax(1, keepdim=True), z, 0.0)
    how = Definition(rule_of, pool, sums)
    maps = [below(net, sample, r, how) for sample, r in zip(x, initial, strict=True)]
    return torch.stack(maps).reshape(x.shape)
