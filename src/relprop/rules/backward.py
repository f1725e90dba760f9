"""The two forms in which relevance travels, and the way back through one operation."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple

from torch import Tensor

Cause = Literal["bias", "stabiliser", "constants", "linearisation"]
CAUSES: tuple[Cause, ...] = ("bias", "stabiliser", "constants", "linearisation")
Absorbed = Mapping[Cause, Tensor]
Pull = Callable[[Tensor], Any]
Absorbs = Callable[[Tensor], Absorbed]
Release = Callable[[], None]


class Form(Enum):
    """How a tensor holds the relevance R of an activation a.

    GRADIENT   c with R = a * c: it passes through sums unchanged and divides by nothing
    RELEVANCE  R itself: the only form that can give relevance to an activation of zero
    """

    GRADIENT = "gradient"
    RELEVANCE = "relevance"


def nothing_to_release() -> None:
    """What a way back does whose result takes the memory of nothing."""


class Back(NamedTuple):
    """The way back through one operation.

    pull      from what arrives at the result to what leaves at the input: a tensor, or a tuple of
              them where several inputs receive relevance
    absorbed  from what arrives to the relevance that does not leave, by cause: tensors that
              broadcast to the result's shape. Called for the ledger alone.
    release   called before the last `pull`, where nobody else needs the result any more: its
              memory, and that of all that was made of it, may take what `pull` makes
    in_place  the same as `pull`, where nobody else needs what arrives, nor what leaves for longer
              than until the next call: both may be memory that is written into again

    bias           the share of a weighted sum's or a normalisation's bias
    stabiliser     what epsilon, or a stabiliser of a denominator, takes
    constants      the share of values that do not depend on the input
    linearisation  what a linear approximation leaves out of a function that is not linear
    """

    pull: Pull
    absorbed: Absorbs
    release: Release = nothing_to_release
    in_place: Pull | None = None


def relevance(v: Tensor, form: Form, value: Tensor) -> Tensor:
    """Relevance itself, of what arrived at a value in a form."""
    return value * v if form is Form.GRADIENT else v
