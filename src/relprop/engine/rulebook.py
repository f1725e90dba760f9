"""The rules by name, with their parameters checked.

Knows the rules' signatures, and nothing of models or of which operation gets which rule.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from . import rules
from .forms import Form


@dataclass(frozen=True)
class RuleDefinition:
    """A rule, and the form of the relevance that it gives to its input."""

    function: Callable[..., rules.Pull]
    gives: Form

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its parameters beside the weighted sum, by name."""
        return MappingProxyType(keywords(self.function))


RULES: Mapping[str, RuleDefinition] = MappingProxyType(
    {
        "zero": RuleDefinition(rules.zero, Form.GRADIENT),
        "epsilon": RuleDefinition(rules.epsilon, Form.GRADIENT),
        "gamma": RuleDefinition(rules.gamma, Form.GRADIENT),
        "alpha-beta": RuleDefinition(rules.alpha_beta, Form.GRADIENT),
        "z-plus": RuleDefinition(rules.z_plus, Form.GRADIENT),
        "flat": RuleDefinition(rules.flat, Form.RELEVANCE),
        "w-squared": RuleDefinition(rules.w_squared, Form.RELEVANCE),
        "z-box": RuleDefinition(rules.z_box, Form.RELEVANCE),
        "gradient": RuleDefinition(rules.gradient, Form.GRADIENT),
    }
)


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function, by name."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def closest(name: object, names: Mapping[str, Any]) -> str:
    """The end of a sentence that offers the name nearest to a misspelt one."""
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f'write "{near[0]}"' if near else "choose one of these"


@dataclass(frozen=True)
class Rule:
    """A rule by name, with all its parameters.

    Raises InputError for an unknown name or parameter, and for a parameter out of range.
    """

    name: str
    parameters: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in RULES:
            allowed = ", ".join(RULES)
            raise InputError(f"unknown rule {self.name!r}", allowed, closest(self.name, RULES))
        known = RULES[self.name].parameters
        given = complete(f'rule "{self.name}"', known, self.parameters)
        _check(given)
        object.__setattr__(self, "parameters", given)

    @property
    def definition(self) -> RuleDefinition:
        """The function, and the form of what it gives."""
        return RULES[self.name]

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={brief(value)}" for key, value in self.parameters.items())
        return f"{self.name}({inside})" if inside else self.name


def brief(value: Any) -> str:
    """A parameter's value in a few characters."""
    if isinstance(value, Tensor):
        return f"tensor{list(value.shape)}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def complete(
    what: str, known: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """All parameters in order, defaults filled in; unknown and missing ones are errors."""
    allowed = ", ".join(known) or "no parameters"
    for name in given:
        if name not in known:
            todo = closest(name, known) if known else "leave it out"
            raise InputError(f"{what} was given the parameter {name!r}", allowed, todo)
    for name, parameter in known.items():
        if name not in given and parameter.default is inspect.Parameter.empty:
            raise InputError(f"{what} was not given {name!r}", allowed, f"write {name}=...")
    return {name: given.get(name, parameter.default) for name, parameter in known.items()}


def _check(parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        if name == "relative":
            _require(isinstance(value, bool), name, value, "True or False", "relative=True")
        elif isinstance(value, Tensor) and name in ("low", "high"):
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
    _require(abs(value) < float("inf"), name, value, "a finite number", f"{name}=0.25")
    if name not in ("low", "high"):
        _require(value >= 0, name, value, f"{name} >= 0", f"{name}={abs(value):g}")


def _all(condition: bool | Tensor) -> bool:
    return bool(condition.all()) if isinstance(condition, Tensor) else bool(condition)


def _require(condition: bool, name: str, value: Any, allowed: str, todo: str) -> None:
    if not condition:
        raise InputError(f"{name} = {value}", allowed, f"write {todo}")
