"""The rules of weighted sums z_j = sum_i x_i w_ij + b_j: dense layers, convolutions, average pools.

A rule is a function of its parameters that returns its shares of R_j, as expressions (`shares`):
numerators are written down, denominators are their sums over the inputs, the bias among them. What
runs them, in which buffers, is the business of `executor`; a rule never sees the model's tensors.

    R_i, R_j   relevance of input i, of output j         ^+, ^-   positive, negative part
    stab(z)    z + STABILISER sign z, zero counting as positive; in gamma, z = 0 passes nothing on
"""

from torch import Tensor

from .shares import (
    ONE,
    ONES,
    W_MAGNITUDE,
    W_NEGATIVE,
    W_POSITIVE,
    W_SQUARED,
    X_MAGNITUDE,
    X_NEGATIVE,
    X_POSITIVE,
    Bound,
    Relative,
    Share,
    Shares,
    W,
    X,
)

POSITIVE = X_POSITIVE * W_POSITIVE + X_NEGATIVE * W_NEGATIVE  # (x_i w_ij)^+
NEGATIVE = X_POSITIVE * W_NEGATIVE + X_NEGATIVE * W_POSITIVE  # (x_i w_ij)^-
# (x_i w_ij)^s, the part with the sign s of z_j: half of x_i w_ij + s |x_i w_ij|
SAME_SIGN = 0.5 * (X * W) + 0.5 * (X_MAGNITUDE * W_MAGNITUDE).times_sign_of_output()


def zero() -> Shares:
    """Share R_j in proportion to the contributions: R_i = sum_j x_i w_ij / z_j R_j.

    LRP-0. An output of exactly zero passes nothing on. Per unit of activation this is the gradient,
    so that the relevance of the input is gradient x input.
    Absorbs the contribution of the bias.

    Source: Bach et al. 2015; Montavon et al. 2019.
    """
    return (Share(X * W, stabiliser=0.0),)


def epsilon(*, epsilon: float = 1e-6, relative: bool = False) -> Shares:
    """Damp outputs close to zero: R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j.

    Absorbs the contribution of the bias, and of epsilon.

    Args:
        epsilon: In units of z, or if `relative` of the root mean square of z over a sample.
        relative: Whether epsilon is measured in the root mean square of z.

    Source: Bach et al. 2015.
    """
    return (Share(X * W, stabiliser=Relative(epsilon) if relative and epsilon else epsilon),)


def gamma(*, gamma: float = 0.25) -> Shares:
    """Favour contributions of the output's own sign s = sign z_j.

    R_i = sum_j (x_i w_ij + gamma (x_i w_ij)^s) / stab(sum_i of the same) R_j

    On inputs >= 0 and outputs > 0 this is w + gamma w^+ in place of w. An output of exactly zero
    passes nothing on. Absorbs the contribution of the bias.

    Args:
        gamma: Weight of contributions of the output's sign, on top of 1.

    Source: Montavon et al. 2019; for inputs of any sign the generalised gamma rule of Andeol et al.
    2021, whose four products x^+ w^+, x^- w^-, x^+ w^-, x^- w^+ are (x_i w_ij)^+ and (x_i w_ij)^-.
    """
    return (Share(X * W + gamma * SAME_SIGN),)


def gamma_by_sign(*, positive: float = 0.25, negative: float = 0.0) -> Shares:
    """Favour contributions of the output's own sign s, by one gamma for each sign of the output.

    R_i = sum_j (x_i w_ij + gamma_s (x_i w_ij)^s) / stab(sum_i of the same) R_j

    gamma_s is `positive` where z_j > 0 and `negative` where z_j < 0; with both equal this is
    `gamma`. An output of exactly zero passes nothing on. Absorbs the contribution of the bias.

    Args:
        positive: Weight of positive contributions to outputs > 0, on top of 1.
        negative: Weight of negative contributions to outputs < 0, on top of 1.

    Source: the four products of signs of Andeol et al. 2021, with a gamma for each case of theirs.
    """
    if positive == negative:
        return gamma(gamma=positive)
    mean, half = (positive + negative) / 2, (positive - negative) / 2  # gamma_s = mean + s half
    return (Share(X * W + mean * SAME_SIGN + half * SAME_SIGN.times_sign_of_output()),)


def alpha_beta(*, alpha: float = 2.0, beta: float = 1.0) -> Shares:
    """Share positive and negative contributions apart.

    R_i = sum_j (alpha (x_i w_ij)^+ / stab(z_j^+) - beta (x_i w_ij)^- / stab(z_j^-)) R_j

    z_j^+ and z_j^- sum the positive and the negative contributions, the bias among them.
    Absorbs the contribution of the bias, and the share of a part without contributions.

    Args:
        alpha: Weight of the positive part; alpha - beta = 1.
        beta: Weight of the negative part. With 0 this is `z_plus`.

    Source: Bach et al. 2015.
    """
    if beta == 0:
        return z_plus()
    return alpha * Share(POSITIVE), -beta * Share(NEGATIVE)


def z_plus() -> Shares:
    """Share among positive contributions alone: R_i = sum_j (x_i w_ij)^+ / stab(z_j^+) R_j.

    alpha-beta with alpha = 1, beta = 0. Absorbs the contribution of a positive bias.

    Source: Montavon et al. 2017 for inputs >= 0; Bach et al. 2015.
    """
    return (Share(POSITIVE),)


def flat() -> Shares:
    """Share equally: R_i = sum_j R_j / (n_j + STABILISER) over the n_j inputs of output j.

    Inputs of zero receive relevance, too, so it gives relevance itself. Takes no bias.

    Source: Lapuschkin et al. 2019.
    """
    return (Share(ONE * ONES, bias=False),)


def w_squared() -> Shares:
    """Share by squared weights: R_i = sum_j w_ij^2 / (sum_i w_ij^2 + b_j^2 + STABILISER) R_j.

    Inputs of zero receive relevance, too, so it gives relevance itself. Absorbs the share of the
    bias.

    Source: Montavon et al. 2017.
    """
    return (Share(ONE * W_SQUARED),)


def z_box(*, low: float | Tensor, high: float | Tensor) -> Shares:
    """Share by the distance of inputs from the bounds l_i and h_i of what they can be.

    R_i = sum_j (x_i w_ij - l_i w_ij^+ - h_i w_ij^-) / stab(sum_i of the same) R_j

    Inputs of zero receive relevance, too, so it gives relevance itself. The bias cancels.

    Args:
        low: The smallest value of an input: a number, or a tensor that broadcasts to one sample,
            such as (channels, 1, 1).
        high: The largest value, likewise.

    Source: Montavon et al. 2017.
    """
    return (Share(X * W - Bound(low) * W_POSITIVE - Bound(high) * W_NEGATIVE, bias=False),)
