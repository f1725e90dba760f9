"""The rules: how the relevance of a weighted sum z = W x + b is shared among its inputs.

Every rule has one shape: rule(step, *, parameters) -> Back, where `step` is a `WeightedSum`, `pull`
takes what arrives at z (batch, *out) to what leaves at x (batch, *in), and `absorbed` says what is
lost on the way. A rule keeps alive what these two refer to, and no more.
A bias is the weight of an input that is always 1.

R_i, R_j     relevance of input i, of output j          ^+, ^-   positive, negative part
stab(z)      z moved from zero by STABILISER, sign kept; zero counts as positive
s_j          what is carried back along the weights: R_j by the denominator of its share
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError
from .forms import Absorbed, Back, Form, divide, signed, stabilise
from .weighted import WeightedSum, Weights

STABILISER = 1e-6


def zero(step: WeightedSum) -> Back:
    """R_i = sum_j x_i w_ij / z_j R_j, and nothing from an output of exactly zero.

    LRP-0. Per unit of activation it is the gradient, so this is gradient x input.
    Absorbs what the bias contributed. Source: Bach et al. 2015; Montavon et al. 2019.
    """
    weights, bias, z = step.weights, step.bias(step.weights), step.z
    if step.arriving is Form.RELEVANCE:
        return Back(
            lambda r: step.transpose(divide(r, z), weights),
            lambda r: {"bias": divide(r, z) * bias, "stabiliser": r * (z == 0)},
        )
    if step.relu:
        threshold = torch.ops.aten.threshold_backward
        return Back(
            lambda c: step.transpose(threshold(c, z, 0), weights),
            lambda c: {"bias": threshold(c, z, 0) * bias},
        )
    return Back(lambda c: step.transpose(c, weights), lambda c: {"bias": c * bias})


def epsilon(step: WeightedSum, *, epsilon: float = 1e-6, relative: bool = False) -> Back:
    """R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j.

    relative  epsilon is measured in the root mean square of z over a sample
    Absorbs what the bias and epsilon contributed. Source: Bach et al. 2015.
    """
    if epsilon == 0:
        return zero(step)
    z, weights, bias = step.z, step.weights, step.bias(step.weights)
    size = epsilon * root_mean_square(z, step.sample_dims) if relative else epsilon

    def share(v: Tensor) -> Tensor:
        if step.arriving is Form.RELEVANCE:
            return v / stabilise(z, size)
        return damp(v, z if step.relu else z.abs(), size)

    def absorbed(v: Tensor) -> Absorbed:
        s = share(v)
        return {"bias": s * bias, "stabiliser": s * signed(z, size)}

    return Back(lambda v: step.transpose(share(v), weights), absorbed)


def root_mean_square(z: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The root mean square of each sample, with its dimensions kept; 1 where all of it is 0."""
    mean = z.square().mean(dims, keepdim=True)
    return torch.where(mean == 0, 1, mean).sqrt()


def damp(c: Tensor, size: Tensor, epsilon: float | Tensor) -> Tensor:
    """C size / (size + epsilon) for size >= 0, in one new tensor."""
    if torch.is_grad_enabled():
        return c * size / (size + epsilon)
    factor = size + epsilon
    return torch.div(size, factor, out=factor).mul_(c)


def gamma(step: WeightedSum, *, gamma: float = 0.25) -> Back:
    """R_i = sum_j (x_i w_ij + gamma (x_i w_ij)^s) / stab(sum_i of the same) R_j, s = sign z_j.

    On inputs >= 0 and outputs > 0 this is w + gamma w^+ in place of w. An output of exactly
    zero passes nothing on. Absorbs what the bias contributed.
    Source: Montavon et al. 2019; for inputs of any sign Andeol et al. 2021.
    """
    up = step.weights.plus(step.weights.positive, gamma)
    down = step.weights.plus(step.weights.negative, gamma)
    z_up = split_forward(step, up, down)
    if step.rectified:
        above = z_up.abs_().add_(STABILISER)  # z_up >= z where relevance arrives
        return split_back(step, lambda v: (step.share(v, above), None), up, down)
    z = step.z
    z_tilted = stabilise(torch.where(z > 0, z_up, (2 + gamma) * z - z_up), STABILISER)

    def split(v: Tensor) -> tuple[Tensor, Tensor]:
        s = step.share(v, z_tilted)
        return s * (z > 0), s * (z < 0)

    return split_back(step, split, up, down)


def alpha_beta(step: WeightedSum, *, alpha: float = 2.0, beta: float = 1.0) -> Back:
    """R_i = sum_j (alpha (x_i w_ij)^+ / stab(z_j^+) - beta (x_i w_ij)^- / stab(z_j^-)) R_j.

    z_j^+ and z_j^- sum the positive and the negative contributions, the bias among them.
    Absorbs what the bias contributed, and the share of a side that has no contributions.
    Source: Bach et al. 2015; alpha - beta = 1.
    """
    if beta == 0:
        return z_plus(step)
    positive, negative = step.weights.positive, step.weights.negative
    above = split_forward(step, positive, negative).add_(STABILISER)
    below = split_forward(step, negative, positive).sub_(STABILISER)  # z - above would cancel

    def split(v: Tensor) -> tuple[Tensor, Tensor]:
        return step.share(v, above).mul_(alpha), step.share(v, below).mul_(-beta)

    return split_back(step, split, positive, negative)


def z_plus(step: WeightedSum) -> Back:
    """R_i = sum_j (x_i w_ij)^+ / stab(sum_i (x_i w_ij)^+) R_j.

    alpha-beta with alpha = 1, beta = 0. Absorbs what a positive bias contributed.
    Source: Montavon et al. 2017 for inputs >= 0; Bach et al. 2015.
    """
    positive, negative = step.weights.positive, step.weights.negative
    total = split_forward(step, positive, negative).add_(STABILISER)
    return split_back(step, lambda v: (step.share(v, total), None), positive, negative)


def split_forward(step: WeightedSum, up: Weights, down: Weights) -> Tensor:
    """x^+ W_up + x^- W_down + b_up: positive contributions, if `up` is W^+ and `down` is W^-."""
    if step.nonnegative:
        return step.forward(step.x, up)
    below = step.map.forward(step.x.clamp(max=0), down.raw, None)
    return step.forward(step.x.clamp(min=0), up).add_(below)


Split = Callable[[Tensor], tuple[Tensor, Tensor | None]]


def split_back(step: WeightedSum, split: Split, up: Weights, down: Weights) -> Back:
    """The way back through `split_forward` for s_up, and through its mirror image for s_down."""
    x, nonnegative = step.x, step.nonnegative

    def pull(v: Tensor) -> Tensor:
        s_up, s_down = split(v)
        above = step.transpose(s_up, up)
        if s_down is not None:
            above = above + step.transpose(s_down, down)
        if nonnegative:
            return above
        below = step.transpose(s_up, down)
        if s_down is not None:
            below = below + step.transpose(s_down, up)
        return torch.where(x > 0, above, below)

    def absorbed(v: Tensor) -> Absorbed:
        s_up, s_down = split(v)
        s_down = torch.zeros_like(s_up) if s_down is None else s_down
        stabiliser = (s_up - s_down) * STABILISER  # both denominators move away from zero
        if step.arriving is Form.RELEVANCE:
            stabiliser = stabiliser + v * ((s_up == 0) & (s_down == 0))  # what `split` dropped
        return {"bias": s_up * step.bias(up) + s_down * step.bias(down), "stabiliser": stabiliser}

    return Back(pull, absorbed)


def flat(step: WeightedSum) -> Back:
    """R_i = sum_j R_j / (n_j + STABILISER) over the n_j inputs that reach output j.

    Gives relevance itself: inputs of zero take part. No bias. Source: Lapuschkin et al. 2019.
    """
    shape, weight = step.x.shape, step.weights.raw
    n = step.map.count(weight, shape) + STABILISER
    return Back(
        lambda v: step.map.spread(step.share(v, n), weight, shape),
        lambda v: {"stabiliser": step.share(v, n) * STABILISER},
    )


def w_squared(step: WeightedSum) -> Back:
    """R_i = sum_j w_ij^2 / (sum_i w_ij^2 + b_j^2 + STABILISER) R_j.

    Gives relevance itself: inputs of zero take part. Absorbs the share of the bias.
    Source: Montavon et al. 2017.
    """
    squared = step.weights.squared
    total = step.forward(torch.ones_like(step.x[:1]), squared) + STABILISER

    def absorbed(v: Tensor) -> Absorbed:
        s = step.share(v, total)
        return {"bias": s * step.bias(squared), "stabiliser": s * STABILISER}

    return Back(lambda v: step.transpose(step.share(v, total), squared), absorbed)


def z_box(step: WeightedSum, *, low: float | Tensor, high: float | Tensor) -> Back:
    """R_i = sum_j (x_i w_ij - l_i w_ij^+ - h_i w_ij^-) / stab(sum_i of the same) R_j.

    low, high  the smallest and largest value that an input can take: numbers, or tensors that
               broadcast to one sample, such as (channels, 1, 1)
    Written as (x_i - l_i) w_ij^+ + (x_i - h_i) w_ij^-: with w_ij by itself, large terms cancel.
    Gives relevance itself: inputs of zero take part. The bias cancels.
    Source: Montavon et al. 2017.
    """
    positive, negative = step.weights.positive.raw, step.weights.negative.raw
    over, under = step.x - bound(low, step.x[:1]), step.x - bound(high, step.x[:1])
    total = step.map.forward(over, positive, None) + step.map.forward(under, negative, None)
    denominator = stabilise(total, STABILISER)

    def pull(v: Tensor) -> Tensor:
        s = step.share(v, denominator)
        above = step.map.transpose(s, positive, step.x.shape)
        below = step.map.transpose(s, negative, step.x.shape)
        return over * above + under * below

    def absorbed(v: Tensor) -> Absorbed:
        return {"stabiliser": step.share(v, denominator) * signed(total, STABILISER)}

    return Back(pull, absorbed)


def bound(value: float | Tensor, sample: Tensor) -> Tensor:
    """A bound of the inputs, of the shape of one sample. Raises InputError if it has another."""
    tensor = torch.as_tensor(value, dtype=sample.dtype, device=sample.device)
    try:
        return tensor.expand(sample.shape)
    except RuntimeError:
        shape = tuple(sample.shape[1:])
        raise InputError(
            f"a z-box bound of shape {tuple(tensor.shape)} for a sample of shape {shape}",
            "a number, or a tensor that broadcasts to one sample",
            "write one number per channel: (channels, 1, 1)",
        ) from None
