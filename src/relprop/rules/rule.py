"""A rule with its parameters, checked: what a row of a recipe holds, and what a step gets.

Takes names and numbers. Must not know models, or how a rule is run.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..support.arguments import complete_parameters, suggest
from .registry import ALSO_CALLED, RULES, RuleDefinition

_LARGEST = 2**63  # integers of torch are smaller


@dataclass(frozen=True)
class Rule:
    """A rule with all its parameters: a built-in one by name, or a custom one.

    Raises InputError for an unknown name or parameter, and for a parameter out of range.

    Attributes:
        name: Its name.
        parameters: All parameters by name, defaults filled in.
        own: The definition of a custom rule; None for a built-in one.
    """

    name: str
    parameters: Mapping[str, Any] = field(hash=False)
    own: RuleDefinition | None = None

    def __post_init__(self) -> None:
        if self.own is None and (not isinstance(self.name, str) or self.name not in RULES):
            allowed = f"{', '.join(RULES)}, or a function made a rule by relprop.rule"
            raise InputError(f"unknown rule {self.name!r}", allowed, _line_for_rule(self.name))
        known = self.definition.parameters
        examples = bounds_of_input(self.parameters)
        parameters = complete_parameters(f'rule "{self.name}"', known, self.parameters, examples)
        if self.own is None:
            _check(parameters)
        object.__setattr__(self, "parameters", parameters)

    @classmethod
    def of(cls, rule: "str | RuleDefinition", parameters: Mapping[str, Any]) -> "Rule":
        """Make a rule from a name or from a custom rule."""
        if isinstance(rule, RuleDefinition):
            return cls(rule.name, parameters, rule)
        return cls(rule, parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rule):
            return NotImplemented
        mine, theirs = self.parameters, other.parameters
        named = (self.name, self.own, mine.keys()) == (other.name, other.own, theirs.keys())
        return named and all(_same(value, theirs[key]) for key, value in mine.items())

    @property
    def mixes(self) -> bool:
        """Tell whether what a position receives depends on other positions, or on which it is."""
        measured = self.parameters.get("relative") or any(
            isinstance(value, Tensor) for value in self.parameters.values()
        )
        return self.own is not None or bool(measured)

    @property
    def definition(self) -> RuleDefinition:
        """Return the function, what it is for, and the form of what it gives."""
        return self.own or RULES[self.name]

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={brief(value)}" for key, value in self.parameters.items())
        return f"{self.name}({inside})" if inside else self.name


def _line_for_rule(name: object) -> str:
    known = ALSO_CALLED.get(str(name).lower().replace("_", "-"))
    return f'write "{known}"' if known else suggest(name, RULES)


def bounds_of_input(given: Mapping[str, Any]) -> Mapping[str, str]:
    """Write a low and a high for an error, where one of them may be given: pixels lie in [0, 1]."""
    numbers = {n: v for n, v in given.items() if isinstance(v, Real) and _is_finite(v)}
    low = min(0.0, float(numbers.get("high", 1.0)) - 1)
    return {"low": str(low), "high": str(max(1.0, float(numbers.get("low", 0.0)) + 1))}


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return not isinstance(a, Tensor) and not isinstance(b, Tensor) and bool(a == b)
    return (a.shape, a.dtype) == (b.shape, b.dtype) and a.cpu().equal(b.cpu())


def brief(value: Any) -> str:
    """Format a parameter's value in a few characters."""
    if isinstance(value, Tensor):
        return f"tensor{list(value.shape)}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check(parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        if name == "relative":
            _require(isinstance(value, bool), name, value, "True or False", "relative=True")
        elif isinstance(value, Tensor) and name in ("low", "high"):
            given = f"{brief(value)} of dtype {value.dtype}"
            _require(not value.is_complex(), name, given, "real values", f"{name}=0.0")
            finite = bool(value.isfinite().all())
            _require(finite, name, brief(value), "finite values", f"{name}=0.0")
        else:
            _check_number(name, value)
    if "alpha" in parameters:
        alpha, beta = parameters["alpha"], parameters["beta"]
        fits = abs(alpha - beta - 1) < 1e-9
        todo = f"alpha={beta + 1:g}, beta={beta:g}"
        _require(fits, "alpha - beta", f"{alpha - beta:g}", "alpha - beta = 1", todo)
    if "low" in parameters:
        low, high = parameters["low"], parameters["high"]
        _check_shapes(low, high)
        ordered = bool(_all(low <= high) and not _all(low == high))
        given = f"{brief(low)}, high={brief(high)}"
        _require(ordered, "low", given, "low < high", "low=0.0, high=1.0")


def _check_shapes(low: Any, high: Any) -> None:
    try:
        torch.as_tensor(low).expand_as(low + torch.as_tensor(high))
    except RuntimeError:
        given = f"{brief(low)}, high={brief(high)}"
        _require(False, "low", given, "shapes that broadcast", "one number per channel: (3, 1, 1)")


def _check_number(name: str, value: Any) -> None:
    number = isinstance(value, Real) and not isinstance(value, bool)
    _require(number, name, repr(value), "a number", f"{name}=0.25")
    _require(_is_finite(value), name, value, "a finite number", f"{name}=0.25")
    fits = not isinstance(value, int) or abs(value) < _LARGEST
    _require(fits, name, value, "a float, or an integer of 64 bits", f"{name}={float(value)!r}")
    if name not in ("low", "high"):
        _require(value >= 0, name, value, f"{name} >= 0", f"{name}={abs(value):g}")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an int may be larger than any float
        return False


def _all(condition: bool | Tensor) -> bool:
    return bool(condition.all()) if isinstance(condition, Tensor) else bool(condition)


def _require(condition: bool, name: str, value: Any, allowed: str, todo: str) -> None:
    if not condition:
        raise InputError(f"{name} = {value}", allowed, f"write {todo}")
