"""The rules of operations that are not weighted sums: products, attention, softmax, norms.

Every rule has one form: rule(op, *, parameters) -> Back, where `op` is a `Traced` operation
z = f(x_1, x_2, ...). What arrives is c, relevance per unit of z, and `pull` gives relevance per
unit of each x; `*_relevance` take and give relevance itself. J is the derivative of f, and
`op.vjp(c)` is J^T c.
"""

import torch
from torch import Tensor

from ..support.numerics import divide, times
from .autodiff import Traced
from .backward import Absorbed, Back


def by_vjp(op: Traced) -> Back:
    """Give J^T c, for an f that is linear in x: R_i = x_i sum_j J_ji R_j / z_j.

    For operations that need no rule: a sum, a copy, a mean, a matrix product with constants.
    Absorbs the share of the constant f(0).
    """
    return Back(op.vjp, lambda c: {"constants": times(c, op.at(0))})


def by_vjp_relevance(op: Traced) -> Back:
    """Give J^T R, for an f whose results are copies of entries of x, or constants.

    Carries relevance itself. Absorbs what arrives at constants.
    """
    return Back(op.vjp, lambda r: {"constants": r * (1 - op.at(1).sub(op.at(0)).nan_to_num(0))})


def maximum_per_unit(op: Traced) -> Back:
    """Give J^T c, for an f that chooses entries of x by their values, as a maximum does.

    The chosen entry takes all. Absorbs what a chosen constant receives.
    """
    return Back(op.vjp, lambda c: {"constants": times(c, op.z - _tangent(op))})


def maximum_relevance(op: Traced) -> Back:
    """Give J^T R, for an f that chooses entries by their values. Carries relevance itself."""
    ones = [torch.ones_like(x) for x in op.x]
    return Back(op.vjp, lambda r: {"constants": r * (1 - op.tangent(*ones))})


def gradient(op: Traced) -> Back:
    """Give the gradient of any operation: R_i = x_i sum_j J_ji c_j.

    Absorbs z - J x, what the linear approximation leaves out.
    """
    return Back(op.vjp, lambda c: {"linearisation": times(c, op.z - _tangent(op))})


def _tangent(op: Traced) -> Tensor:
    """Compute J x. An infinite entry, such as of a mask, has no part in results that are finite.

    An operation may compute in another dtype, in which an entry is infinite that is finite in x.
    """
    return op.tangent(*(torch.where(x.to(op.z.dtype).isfinite(), x, 0) for x in op.x))


def pass_through(op: Traced) -> Back:
    """Pass relevance itself through an activation unchanged, f(0) and all: R^in_i = R^out_i.

    Per unit of x this is f(x) / x, which has no bound near x = 0 if f(0) != 0: a layer before may
    give many times the relevance that arrives. As the `Pass` of Zennit (Anders et al. 2021).
    """
    return Back(lambda c: c * op.z, lambda c: {})


def taylor(op: Traced) -> Back:
    """Expand a softmax s of x at x: R^in_i = x_i (R^out_i - s_i sum_j R^out_j).

    Absorbs the constant term of the expansion. Source: Achtibat et al. 2024 (AttnLRP), sec. 3.3.1.
    """
    return gradient(op)


def uniform(op: Traced) -> Back:
    """Give half the relevance of each product to either factor.

    R_ik = sum_j x_ik y_kj / (2 z_ij) R_ij

    For elementwise products and for matrix products.

    Source: Achtibat et al. 2024 (AttnLRP), sec. 3.3.2.
    """
    vjp = op.vjp
    return Back(lambda c: vjp(c / 2), lambda c: {"constants": times(c, op.at(0))})


def proportional(op: Traced) -> Back:
    """Share an elementwise product z = x y by magnitude.

    R_x = |x| / (|x| + |y|) R and R_y = |y| / (|x| + |y|) R
    """
    x, y = op.x
    vjp, share = op.vjp, divide(x.abs(), x.abs() + y.abs())

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        return vjp(c * share)[0], vjp(c * (1 - share))[1]

    return Back(pull, lambda c: {"constants": times(c, op.at(0))})


def constant_gate(op: Traced) -> Back:
    """Hold the gate g of z = x g constant: the gated value takes all, R_x = R.

    In a product with one factor from an activation, as in a gated MLP, that factor is the gate.

    Source: Arras et al. 2017 (signal-takes-all); Ali et al. 2022.
    """
    return by_vjp(op)


def constant_statistics(op: Traced) -> Back:
    """Hold the statistic that a value is divided by constant; J is that of the linear map left.

    A mean that is subtracted remains part of the map. Absorbs the share of the bias.

    Source: Ali et al. 2022, sec. 3.2; Achtibat et al. 2024.
    """
    return Back(op.vjp, lambda c: {"bias": times(c, op.at(0))})


def attnlrp(op: Traced) -> Back:
    """Explain scaled dot-product attention of x = (query, key, value) as AttnLRP does.

    `uniform` at weights x values, `taylor` at the softmax, `uniform` at query x key: half of the
    derivative to the values, a quarter to queries and to keys, or half to one of them where the
    other is constant. Absorbs the constant term of the softmax's expansion.

    Source: Achtibat et al. 2024.
    """
    scores = [place for place in op.places if place < 2]  # those that are not here are constant
    to_scores = 0.5 if 2 in op.places else 1.0
    shares = {place: to_scores / len(scores) for place in scores} | {2: 0.5}
    vjp, factors = op.vjp, [shares[place] for place in op.places]

    def pull(c: Tensor) -> tuple[Tensor, ...]:
        multiply = torch.mul if torch.is_grad_enabled() else Tensor.mul_  # no one else holds them
        return tuple(multiply(g, f) for g, f in zip(vjp(c), factors, strict=True))

    def absorbed(c: Tensor) -> Absorbed:
        scaled = [x if p == scores[0] else x * 0 for p, x in zip(op.places, op.x, strict=True)]
        return {"linearisation": to_scores * times(c, op.z - op.tangent(*scaled))}

    return Back(pull, absorbed)


def cp_lrp(op: Traced) -> Back:
    """Hold the weights of scaled dot-product attention constant: the values take all.

    Source: Ali et al. 2022 (CP-LRP).
    """
    return by_vjp(op)
