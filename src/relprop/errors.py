"""Every error that relprop raises on purpose.

Each has three parts: what was given, what is allowed, and what to do about it.
"""

import re


class RelpropError(Exception):
    """Base class of every error that relprop raises on purpose.

    Attributes:
        given: What was given.
        allowed: What is allowed.
        todo: What to do about it.
    """

    def __init__(self, given: str, allowed: str, todo: str) -> None:
        super().__init__(given, allowed, todo)
        self.given = given
        self.allowed = allowed
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.given}\n  allowed: {self.allowed}\n  to do:   {self.todo}"


class InputError(RelpropError, ValueError):
    """An argument is wrong: an input, a target, a rule's parameter, an option."""


class CaptureError(RelpropError):
    """The model cannot be captured as a graph."""


class PlanError(RelpropError):
    """An operation of the model has no rule, or a rule that does not fit it."""


class FileError(RelpropError, OSError):
    """A file or a download is missing, damaged, or not of the kind that is expected."""

    __str__ = RelpropError.__str__


class MissingExtraError(RelpropError, ImportError):
    """An optional dependency is not installed."""

    __str__ = RelpropError.__str__


class NumberError(RelpropError, ArithmeticError):
    """A result is not finite."""


class RuleError(RelpropError):
    """A custom rule violates the contract of a rule."""


class AmplificationWarning(UserWarning):
    """The relevance of the input is many times the score that is explained."""


class VanishingWarning(UserWarning):
    """Next to no relevance arrives at the input, though it is not zero, nor is the score."""


class DroppedPathWarning(RelpropError, UserWarning):
    """A path from the explained input to the output ends where relevance cannot pass.

    A comparison, a cast to integers, an argmax has no derivative. What is computed from its result
    and added to other values receives no relevance, as a constant.
    """

    __str__ = RelpropError.__str__


class UnreadSoftmaxWarning(RelpropError, UserWarning):
    """A quotient looks like a softmax that the code writes out, and was not read as one.

    The same exponentials reach both sides of a division, its divisor by a sum. The rule of a
    quotient holds the divisor constant, so that relevance may come to many times the score.
    """

    __str__ = RelpropError.__str__


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, in at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r"\s+", " ", lines[0])[:300] if lines else type(error).__name__
