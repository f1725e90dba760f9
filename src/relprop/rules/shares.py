"""The language in which rules of weighted sums are written: expressions of inputs and weights.

    R_i = sum_j  n_ij / (sum_i n_ij + stabiliser) R_j          n_ij: the numerator, a sum of terms

A `Share` is one such fraction: its numerator is written down, and its denominator is the sum of the
numerator over the inputs. Nothing is computed here; `executor` turns shares into passes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

from torch import Tensor

from .weights import STABILISER, Weights


class InputFactor(Enum):
    """The part of a term that belongs to input i.

    A bias is the weight of an input that is always 1: for it X, POSITIVE, MAGNITUDE and ONE are 1,
    and NEGATIVE is 0.
    """

    X = "x"
    POSITIVE = "x^+"
    NEGATIVE = "x^-"
    MAGNITUDE = "|x|"
    ONE = "1"

    def __mul__(self, weight: "WeightFactor") -> "Contributions":
        """Multiply by a weight: one term."""
        return Contributions((Term(self, weight),))


@dataclass(frozen=True)
class Bound:
    """The smallest or the largest value of each input: a number, or a tensor for one sample."""

    value: float | Tensor

    def __mul__(self, weight: "WeightFactor") -> "Contributions":
        """Multiply by a weight: one term."""
        return Contributions((Term(self, weight),))


@dataclass(frozen=True)
class WeightFactor:
    """The part of a term that belongs to the connection of input i and output j.

    Attributes:
        name: As formulas write it; two factors of one name are equal.
        derive: Takes the layer's weights and returns those of this factor, cached with them.
    """

    name: str
    derive: Callable[[Weights], Weights] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Term:
    """A number times a factor of input i times a factor of the weight w_ij.

    Attributes:
        signed: Whether it is also multiplied by the sign of the output z_j.
    """

    input: InputFactor | Bound
    weight: WeightFactor
    number: float = 1.0
    signed: bool = False


@dataclass(frozen=True)
class Contributions:
    """The numerator of a share: a sum of terms."""

    terms: tuple[Term, ...]

    def __add__(self, other: "Contributions") -> "Contributions":
        """Add the terms of two numerators."""
        return Contributions(self.terms + other.terms)

    def __sub__(self, other: "Contributions") -> "Contributions":
        """Subtract the terms of another numerator."""
        return self + -1.0 * other

    def __rmul__(self, number: float) -> "Contributions":
        """Multiply each term by a number."""
        return Contributions(tuple(replace(t, number=number * t.number) for t in self.terms))

    def times_sign_of_output(self) -> "Contributions":
        """Multiply each term by the sign of the output z_j, which is not 0: its square is 1."""
        return Contributions(tuple(replace(t, signed=not t.signed) for t in self.terms))


@dataclass(frozen=True)
class Relative:
    """A stabiliser measured in the root mean square of z over a sample."""

    epsilon: float


@dataclass(frozen=True)
class Share:
    """A fraction of R_j that goes to input i: the numerator by its sum over the inputs.

    Attributes:
        numerator: The terms n_ij.
        stabiliser: What is added to the denominator, with its sign; zero counts as positive. With
            a stabiliser of 0, an output whose denominator is 0 passes nothing on.
        bias: Whether the bias is one of the inputs. If so, its share is absorbed.
        number: The factor of the fraction.
    """

    numerator: Contributions
    stabiliser: float | Relative = STABILISER
    bias: bool = True
    number: float = 1.0

    def __rmul__(self, number: float) -> "Share":
        """Multiply the fraction by a number."""
        return replace(self, number=number * self.number)


Shares = tuple[Share, ...]

X, X_POSITIVE, X_NEGATIVE = InputFactor.X, InputFactor.POSITIVE, InputFactor.NEGATIVE
X_MAGNITUDE, ONE = InputFactor.MAGNITUDE, InputFactor.ONE

W = WeightFactor("w", lambda weights: weights)
W_POSITIVE = WeightFactor("w^+", lambda weights: weights.positive)
W_NEGATIVE = WeightFactor("w^-", lambda weights: weights.negative)
W_MAGNITUDE = WeightFactor("|w|", lambda weights: weights.magnitude(1.0))
W_SQUARED = WeightFactor("w^2", lambda weights: weights.squared)
ONES = WeightFactor("1", lambda weights: weights)  # 1 where input i reaches output j, 0 elsewhere


def raised(gamma: float) -> WeightFactor:
    """Return the factor w + gamma w^+."""
    return WeightFactor(f"w + {gamma} w^+", lambda weights: weights.raised(gamma))
