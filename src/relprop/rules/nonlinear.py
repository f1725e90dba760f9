"""The rules for what is no weighted sum: products, attention, softmax, normalisation.

Every rule has one shape: rule(step, *, parameters) -> Back, where `step` is a `Traced` operation
z = f(x_1, x_2, ...). What arrives is c, relevance per unit of z; `pull` gives relevance per unit of
each x. J is the derivative of f.
"""

import torch
from torch import Tensor

from ..support.numerics import divide, times
from .autodiff import Traced
from .backward import Absorbed, Back


def linear(step: Traced) -> Back:
    """J^T c for an f that is linear in x: R_i = x_i sum_j J_ji R_j / z_j.

    Needs no rule: a sum, a copy, a mean, a matrix product with constants.
    Absorbs what f makes of x = 0.
    """
    return Back(step.adjoint, lambda c: {"constants": times(c, step.at(0))})


def copied(step: Traced) -> Back:
    """J^T R for an f whose results are copies of entries of x, or constants.

    Carries relevance itself. Absorbs what arrives at constants.
    """
    return Back(
        step.adjoint, lambda r: {"constants": r * (1 - step.at(1).sub(step.at(0)).nan_to_num(0))}
    )


def chosen(step: Traced) -> Back:
    """J^T c for an f whose results are entries of x that it chooses by their values: maxima.

    The winner takes all. Absorbs what a constant won.
    """
    return Back(step.adjoint, lambda c: {"constants": times(c, step.z - step.tangent(*step.x))})


def choice(step: Traced) -> Back:
    """J^T R for an f that chooses, as `chosen`. Carries relevance itself."""
    ones = [torch.ones_like(x) for x in step.x]
    return Back(step.adjoint, lambda r: {"constants": r * (1 - step.tangent(*ones))})


def gradient(step: Traced) -> Back:
    """R_i = x_i sum_j J_ji c_j: the gradient, of any operation.

    Absorbs z - J x, what the linear approximation at 0 lacks.
    """
    return Back(step.adjoint, lambda c: {"linearisation": times(c, step.z - _tangent(step))})


def _tangent(step: Traced) -> Tensor:
    return step.tangent(*(torch.where(x.isfinite(), x, 0) for x in step.x))


def taylor(step: Traced) -> Back:
    """R_i = x_i (R_i - s_i sum_j R_j) for a softmax s of x: its Taylor expansion at x.

    Absorbs the constant term of the expansion. Source: Achtibat et al. 2024 (AttnLRP), sec. 3.3.1.
    """
    return gradient(step)


def uniform(step: Traced) -> Back:
    """R_ik = sum_j x_ik y_kj / (2 z_ij) R_ij: half the relevance of each product to either factor.

    For products entry by entry and for matrix products.
    Source: Achtibat et al. 2024 (AttnLRP), sec. 3.3.2.
    """
    adjoint = step.adjoint
    return Back(lambda c: adjoint(c / 2), lambda c: {"constants": times(c, step.at(0))})


def proportional(step: Traced) -> Back:
    """R_x = |x| / (|x| + |y|) R and R_y = |y| / (|x| + |y|) R for z = x y, entry by entry."""
    x, y = step.x
    adjoint, share = step.adjoint, divide(x.abs(), x.abs() + y.abs())

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        return adjoint(c * share)[0], adjoint(c * (1 - share))[1]

    return Back(pull, lambda c: {"constants": times(c, step.at(0))})


def constant_gate(step: Traced) -> Back:
    """The gate is held constant and the gated value takes all: R_x = R for z = x g.

    Of a product of which one factor comes of an activation, as in a gated MLP, that is the gate.
    Source: Arras et al. 2017 (signal-takes-all); Ali et al. 2022.
    """
    return linear(step)


def constant_statistics(step: Traced) -> Back:
    """What a value is divided by to normalise it is held constant; the linear map left takes J^T c.

    A mean that is subtracted remains part of the map. Absorbs the share of the bias.
    Source: Ali et al. 2022, sec. 3.2; Achtibat et al. 2024.
    """
    return Back(step.adjoint, lambda c: {"bias": times(c, step.at(0))})


def attnlrp(step: Traced) -> Back:
    """Scaled dot-product attention of x = (query, key, value) as AttnLRP has it.

    `uniform` at weights x values, `taylor` at the softmax, `uniform` at query x key: half of the
    derivative to the values, a quarter to queries and to keys, or to those of them that are not
    constant. Absorbs the constant term of the
    softmax's expansion. Source: Achtibat et al. 2024.
    """
    scores = [place for place in step.places if place < 2]  # the others are constant
    to_scores = 0.5 if 2 in step.places else 1.0
    shares = {place: to_scores / len(scores) for place in scores} | {2: 0.5}
    adjoint, factors = step.adjoint, [shares[place] for place in step.places]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        multiply = torch.mul if torch.is_grad_enabled() else Tensor.mul_  # the parts are our own
        return tuple(multiply(g, f) for g, f in zip(adjoint(c), factors, strict=True))

    def absorbed(c: Tensor) -> Absorbed:
        scaled = [x if p == scores[0] else x * 0 for p, x in zip(step.places, step.x, strict=True)]
        return {"linearisation": to_scores * times(c, step.z - step.tangent(*scaled))}

    return Back(pull, absorbed)


def cp_lrp(step: Traced) -> Back:
    """Scaled dot-product attention with its weights held constant: the values take all.

    Source: Ali et al. 2022 (CP-LRP).
    """
    return linear(step)
