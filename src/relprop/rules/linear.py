"""The rules: how the relevance of a weighted sum z = W x + b is shared among its inputs.

Every rule has one shape: rule(step, *, parameters) -> Back, where `step` is a `WeightedSum`, `pull`
takes what arrives at z (batch, *out) to what leaves at x (batch, *in), and `absorbed` says what is
lost on the way. A rule keeps alive what `pull` refers to, and no more: never the step itself.
A bias is the weight of an input that is always 1.

R_i, R_j     relevance of input i, of output j          ^+, ^-   positive, negative part
stab(z)      z moved from zero by STABILISER, sign kept; zero counts as positive
s_j          what is carried back along the weights: R_j by the denominator of its share
"""

import torch
from torch import Tensor

from ..errors import InputError
from ..support.numerics import divide, scalar, signed, stabilise
from .backward import Absorbed, Back, Form
from .gamma import raised, tilted
from .layer import STABILISER, WeightedSum
from .scaling import Damping, Factor, carried, gate
from .signed_parts import Sides


def zero(step: WeightedSum) -> Back:
    """R_i = sum_j x_i w_ij / z_j R_j, and nothing from an output of exactly zero.

    LRP-0. Per unit of activation it is the gradient, so this is gradient x input.
    Absorbs what the bias contributed. Source: Bach et al. 2015; Montavon et al. 2019.
    """
    bias, z = step.bias(step.weights), step.z
    if step.arriving is Form.GRADIENT and step.activation is None:
        return Back(step.carry(step.weights), lambda c: {"bias": c * bias})
    carry = step.carry(step.weights, own=True)
    if step.arriving is Form.RELEVANCE:
        return Back(
            lambda r: carry(divide(r, z)),
            lambda r: {"bias": divide(r, z) * bias, "stabiliser": r * (z == 0)},
        )
    share = gain(step)
    return carried(share, carry, lambda c: {"bias": share(c) * bias})


def gain(step: WeightedSum) -> Factor:
    """The function from c to c f(z) / z for the activation f, and to 0 where z is 0."""
    if step.relu:
        return Factor(step.z, gate)
    if step.keeps_sign and not torch.is_grad_enabled():
        result, room = step.result, step.z  # which nobody else needs
        size = room.abs_().clamp_(min=torch.finfo(room.dtype).tiny)
        return Factor(torch.div(result, size, out=room).abs_())
    return Factor(divide(step.result, step.z))


def epsilon(step: WeightedSum, *, epsilon: float = 1e-6, relative: bool = False) -> Back:
    """R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j.

    relative  epsilon is measured in the root mean square of z over a sample
    Absorbs what the bias and epsilon contributed. Source: Bach et al. 2015.
    """
    if epsilon == 0:
        return zero(step)
    carry, z, bias = step.carry(step.weights, own=True), step.z, step.bias(step.weights)
    size = epsilon * root_mean_square(z, step.sample_dims) if relative else epsilon
    share = damped(step, size)
    of_its_sign = step.result if step.keeps_sign else z  # z may be overwritten

    def absorbed(v: Tensor) -> Absorbed:
        s = share(v)
        return {"bias": s * bias, "stabiliser": s * signed(of_its_sign, size)}

    return carried(share, carry, absorbed)


def damped(step: WeightedSum, size: float | Tensor) -> Factor | Damping:
    """The function from the relevance that arrives to R / (z + size sign z)."""
    if step.keeps_sign and not torch.is_grad_enabled():
        result, room = step.result, step.z  # which nobody else needs
        return Factor(torch.div(result, room.abs_().add_(size), out=room).abs_())
    if is_relevance(step) or (step.activation and not step.relu):
        return step.share(stabilise(step.z, size), reuse=True)
    return Damping(step.z, size, step.relu)


def is_relevance(step: WeightedSum) -> bool:
    """Whether relevance itself will arrive."""
    return step.arriving is Form.RELEVANCE


def root_mean_square(z: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The root mean square of each sample, with its dimensions kept; 1 where all of it is 0."""
    mean = z.square().mean(dims, keepdim=True)
    return torch.where(mean == 0, 1, mean).sqrt()


def gamma(step: WeightedSum, *, gamma: float = 0.25) -> Back:
    """R_i = sum_j (x_i w_ij + gamma (x_i w_ij)^s) / stab(sum_i of the same) R_j, s = sign z_j.

    On inputs >= 0 and outputs > 0 this is w + gamma w^+ in place of w. An output of exactly
    zero passes nothing on. Absorbs what the bias contributed.
    Source: Montavon et al. 2019; for inputs of any sign Andeol et al. 2021.
    """
    if step.nonnegative and step.rectified:
        return raised(step, gamma)
    return tilted(step, gamma / 2)


def alpha_beta(step: WeightedSum, *, alpha: float = 2.0, beta: float = 1.0) -> Back:
    """R_i = sum_j (alpha (x_i w_ij)^+ / stab(z_j^+) - beta (x_i w_ij)^- / stab(z_j^-)) R_j.

    z_j^+ and z_j^- sum the positive and the negative contributions, the bias among them.
    Absorbs what the bias contributed, and the share of a side that has no contributions.
    Source: Bach et al. 2015; alpha - beta = 1.
    """
    if beta == 0:
        return z_plus(step)
    sides = Sides(step.weights)
    above = sides.forward(step, shifted=False)
    below = sides.mirrored.forward(step, shifted=False)  # z - above would cancel
    step.add_up(above, below)
    to_above = step.share(above.add_(STABILISER), reuse=True)
    to_below = step.share(below.sub_(STABILISER), reuse=True)

    def release() -> None:
        to_above.release()
        to_below.release()

    def split(v: Tensor, in_place: bool = False) -> tuple[Tensor, Tensor]:
        return to_above(v) * alpha, to_below(v, in_place) * -beta

    return sides.back(step, split, release)


def z_plus(step: WeightedSum) -> Back:
    """R_i = sum_j (x_i w_ij)^+ / stab(sum_i (x_i w_ij)^+) R_j.

    alpha-beta with alpha = 1, beta = 0. Absorbs what a positive bias contributed.
    Source: Montavon et al. 2017 for inputs >= 0; Bach et al. 2015.
    """
    sides = Sides(step.weights)
    return sides.back_up(step, step.share(sides.forward(step), reuse=True))


def flat(step: WeightedSum) -> Back:
    """R_i = sum_j R_j / (n_j + STABILISER) over the n_j inputs that reach output j.

    Gives relevance itself: inputs of zero take part. No bias. Source: Lapuschkin et al. 2019.
    """
    shape, weight, spread = step.x.shape, step.weights.raw, step.map.spread
    count = step.weights.once(shape[1:], lambda: step.map.count(weight, shape) + STABILISER)
    share = step.share(count)
    return carried(
        share,
        lambda s: spread(s, weight, shape),
        lambda v: {"stabiliser": share(v) * STABILISER},
    )


def w_squared(step: WeightedSum) -> Back:
    """R_i = sum_j w_ij^2 / (sum_i w_ij^2 + b_j^2 + STABILISER) R_j.

    Gives relevance itself: inputs of zero take part. Absorbs the share of the bias.
    Source: Montavon et al. 2017.
    """
    squared = step.weights.squared
    carry, bias = step.carry(squared), step.bias(squared)
    shape = (1, *step.x.shape[1:])

    def total() -> Tensor:
        return step.forward(squared.raw.new_ones(shape), squared) + STABILISER

    share = step.share(squared.once(shape, total))

    def absorbed(v: Tensor) -> Absorbed:
        s = share(v)
        return {"bias": s * bias, "stabiliser": s * STABILISER}

    return carried(share, carry, absorbed)


def z_box(step: WeightedSum, *, low: float | Tensor, high: float | Tensor) -> Back:
    """R_i = sum_j (x_i w_ij - l_i w_ij^+ - h_i w_ij^-) / stab(sum_i of the same) R_j.

    low, high  the smallest and largest value that an input can take: numbers, or tensors that
               broadcast to one sample, such as (channels, 1, 1)
    Gives relevance itself: inputs of zero take part. The bias cancels.
    Source: Montavon et al. 2017.
    """
    step = step.whole
    x, weights = step.x, step.weights
    positive, negative = weights.positive, weights.negative
    lowest, highest = bound(low, x[:1]), bound(high, x[:1])

    def edges() -> Tensor:
        below, above = lowest.to(positive.raw.dtype), highest.to(negative.raw.dtype)
        at_lowest = step.map.forward(below, positive.raw, None)
        return at_lowest + step.map.forward(above, negative.raw, None)

    unbiased = step.map.forward(x, weights.raw, None)  # with its bias, more would cancel
    total = unbiased - weights.once(x.shape[1:], edges)
    step.add_up(unbiased, step.bias(weights))
    carry = step.carry_to_signs()
    share = step.share(stabilise(total, STABILISER), reuse=True)

    def pull(v: Tensor) -> Tensor:
        by_positive, by_negative = carry(share(v))
        return (x - lowest) * by_positive + (x - highest) * by_negative

    def absorbed(v: Tensor) -> Absorbed:
        return {"stabiliser": share(v) * signed(total, STABILISER)}

    return Back(pull, absorbed, share.release)


def bound(value: float | Tensor, sample: Tensor) -> Tensor:
    """A bound of the inputs, of the shape of one sample. Raises InputError if it has another."""
    tensor = scalar(value, sample).to(sample)
    try:
        return tensor.expand(sample.shape)
    except RuntimeError:
        shape = tuple(sample.shape[1:])
        raise InputError(
            f"a z-box bound of shape {tuple(tensor.shape)} for a sample of shape {shape}",
            "a number, or a tensor that broadcasts to one sample",
            "write one number per channel: (channels, 1, 1)",
        ) from None
