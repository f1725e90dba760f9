"""The two forms in which relevance travels, and the backward pass of one operation."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor

from ..support.numerics import times

Cause = Literal[
    "bias", "stabiliser", "zero denominator", "constants", "linearisation", "conditions"
]
CAUSES: tuple[Cause, ...] = get_args(Cause)
Absorbed = Mapping[Cause, Tensor]
Pull = Callable[[Tensor], Any]
Absorbs = Callable[[Tensor], Absorbed]
Release = Callable[[], None]


class Form(Enum):
    """How a tensor holds the relevance R of an activation a.

    PER_UNIT: relevance per unit of activation, c with R = a c. It passes through sums unchanged,
        and nothing is divided by activations.
    RELEVANCE: R itself, the only form that can give relevance to an activation of zero.
    """

    PER_UNIT = "per-unit"
    RELEVANCE = "relevance"


def nothing_to_release() -> None:
    """Do nothing: the default `release` of an operation that holds no buffer to reuse."""


class Back(NamedTuple):
    """The backward pass of relevance through one operation.

    Attributes:
        pull: Takes the relevance of the result, in the form that arrives there, and returns that
            of the input: a tensor of x's shape, or a tuple of them for several inputs.
        absorbed: Takes the same, and returns the relevance that no input receives, by cause:
            tensors that broadcast to the result's shape. Called for `ledger=True` alone.
            Causes: "bias", the share of a bias; "stabiliser", that of epsilon or another
            stabiliser of a denominator; "zero denominator", that of a sum of exactly 0, which
            nothing shares in, such as the negative part of alpha-beta where no contribution is
            negative; "constants", that of values that do not depend on the input;
            "linearisation", what a linear approximation leaves out.
        release: Called before the last `pull`, once no one else needs the forward result; `pull`
            may then overwrite it and anything derived from it.
        in_place: Like `pull`, but may overwrite its argument, and reuse the tensor that it
            returned the time before.

    Of a custom rule `release` and `in_place` are not used.

    Example:
        >>> import torch, relprop
        >>> back = relprop.Back(pull=lambda c: 2 * c, absorbed=lambda c: {})
        >>> back.pull(torch.ones(3)).tolist()
        [2.0, 2.0, 2.0]
    """

    pull: Pull
    absorbed: Absorbs
    release: Release = nothing_to_release
    in_place: Pull | None = None


def relevance(v: Tensor, form: Form, value: Tensor) -> Tensor:
    """Convert what arrived at a value in one form to relevance itself.

    An infinite value to which nothing arrives has a relevance of 0: the -inf of a mask.
    """
    return times(v, value) if form is Form.PER_UNIT else v
