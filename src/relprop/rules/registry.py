"""The rules by name, with their parameters checked.

Knows the rules' signatures, and nothing of models or of which operation gets which rule.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import InputError, RuleError
from ..graph.ops import KINDS, LAYERS, WEIGHTED_SUMS, Kind
from ..support.arguments import complete_parameters, keyword_parameters, suggest
from . import linear, nonlinear, recurrent
from .backward import Back, Form
from .layer import WeightedSum
from .shares import Shares

Receives = Literal["all", "signal", "none"]


@dataclass(frozen=True)
class RuleDefinition:
    """A rule: its function, the operations it is for, and the form of the relevance that it gives.

    Attributes:
        function: Of keyword parameters. Built-in rules of weighted sums take nothing else and
            return `Shares`; all others take the operation that was run, a `WeightedSum`, a
            `Recurrent` or a `Traced`, and return a `Back`.
        kinds: The kinds of operations that can take it.
        gives: The form of the relevance that it gives to its inputs.
        receives: Which inputs it gives relevance to: all that depend on the explained input; the
            signal alone, where another one is a gate or a statistic; or none.
        any_named: Whether any operation can take it in a row that names its module.
        shares: The function that returns its shares at weighted sums; None for custom rules.
        derivative_share: At a product of two inputs, the share of the derivative that each input
            receives, if it is just that.
    """

    function: Callable[..., Any]
    kinds: tuple[Kind, ...]
    gives: Form = Form.GRADIENT
    receives: Receives = "all"
    any_named: bool = False
    shares: Callable[..., Shares] | None = None
    derivative_share: float = 0.0

    @property
    def name(self) -> str:
        """Return its name in plans and messages."""
        return self.function.__name__.replace("_", "-")

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Return its keyword parameters by name."""
        return MappingProxyType(keyword_parameters(self.function))


def rule(
    kinds: Sequence[Kind] = LAYERS, gives: Literal["gradient", "relevance"] = "gradient"
) -> Callable[[Callable[..., Back]], RuleDefinition]:
    """Make a custom rule of a function, to be given to `Recipe.using`.

    The function takes the layer that was run, and keyword parameters: `rule(layer, *, parameter)`.
    The layer is a `WeightedSum` for the kinds "convolution", "linear" and "average-pool", else the
    traced operation. The function returns a `relprop.Back`.

    Args:
        kinds: The kinds of operations that can take the rule.
        gives: "gradient" if `pull` returns relevance per unit of x, "relevance" if it returns
            relevance itself.

    Returns:
        A decorator that makes the function a rule.

    Raises:
        InputError: A kind or a form does not exist.

    Example:
        >>> import relprop
        >>> @relprop.rule(kinds=("linear",))
        ... def by_gradient(layer):
        ...     return relprop.Back(lambda c: layer.transpose(c, layer.weights), lambda c: {})
        >>> recipe = relprop.Recipe.preset("epsilon").using("*", by_gradient)
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if isinstance(kinds, str) or unknown:
        given = f"a rule for the kinds {kinds!r}"
        raise InputError(given, ", ".join(KINDS), 'write kinds=("convolution", "linear")')
    if gives not in ("gradient", "relevance"):
        raise InputError(f"gives is {gives!r}", '"gradient", "relevance"', 'write gives="gradient"')
    return lambda function: RuleDefinition(_checked(function), tuple(kinds), Form(gives))


def _checked(function: Callable[..., Back]) -> Callable[..., Back]:
    """Wrap a custom rule so that its results are checked for what the engine relies on."""

    @functools.wraps(function)
    def checked(layer: Any, **parameters: Any) -> Back:
        back = function(layer.whole if isinstance(layer, WeightedSum) else layer, **parameters)
        if not isinstance(back, Back):
            raise _not_a_rule(function, f"returned a {type(back).__name__}, which is no Back")
        x = layer.x if isinstance(layer.x, tuple) else (layer.x,)
        return Back(lambda v: _checked_shapes(function, back.pull(v), x), back.absorbed)

    return checked


def _checked_shapes(function: Callable[..., Back], pulled: Any, x: Sequence[Tensor]) -> Any:
    """Return what `pull` gave, or raise RuleError if it has not the shapes of the inputs."""
    tensors = pulled if isinstance(pulled, tuple) else (pulled,)
    got = [tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__ for t in tensors]
    wanted = [tuple(value.shape) for value in x]
    if got != wanted:
        raise _not_a_rule(function, f"pulled {got} to inputs of the shapes {wanted}")
    return pulled


def _not_a_rule(function: Callable[..., Back], problem: str) -> RuleError:
    return RuleError(
        f'the rule "{function.__name__.replace("_", "-")}" {problem}',
        "a Back, whose pull returns a tensor of the shape of x: for several inputs, one for each",
        "write return relprop.Back(pull, absorbed)",
    )


def _constant(operation: Any) -> Back:
    """Hold the value constant: nothing is given to what it is computed from."""
    raise AssertionError("no relevance arrives at a constant")


def _of_weighted_sums(
    function: Callable[..., Shares], gives: Form = Form.GRADIENT
) -> RuleDefinition:
    return RuleDefinition(function, WEIGHTED_SUMS, gives, shares=function)


RULES: Mapping[str, RuleDefinition] = MappingProxyType(
    {
        "zero": _of_weighted_sums(linear.zero),
        "epsilon": _of_weighted_sums(linear.epsilon),
        "gamma": _of_weighted_sums(linear.gamma),
        "alpha-beta": _of_weighted_sums(linear.alpha_beta),
        "z-plus": _of_weighted_sums(linear.z_plus),
        "flat": _of_weighted_sums(linear.flat, Form.RELEVANCE),
        "w-squared": _of_weighted_sums(linear.w_squared, Form.RELEVANCE),
        "z-box": _of_weighted_sums(linear.z_box, Form.RELEVANCE),
        "uniform": RuleDefinition(
            nonlinear.uniform, ("product", "gate", "matmul"), derivative_share=0.5
        ),
        "proportional": RuleDefinition(nonlinear.proportional, ("product", "gate")),
        "constant-gate": RuleDefinition(
            nonlinear.constant_gate, ("gate", "product"), receives="signal", derivative_share=1.0
        ),
        "constant-statistics": RuleDefinition(
            nonlinear.constant_statistics,
            ("normalisation",),
            receives="signal",
            derivative_share=1.0,
        ),
        "taylor": RuleDefinition(nonlinear.taylor, ("softmax",)),
        "attnlrp": RuleDefinition(nonlinear.attnlrp, ("attention",)),
        "cp-lrp": RuleDefinition(nonlinear.cp_lrp, ("attention",), receives="signal"),
        "signal-takes-all": RuleDefinition(recurrent.signal_takes_all, ("recurrent",)),
        # At a weighted sum, LRP-0 is the gradient, and it knows a folded batch norm.
        "gradient": RuleDefinition(nonlinear.gradient, KINDS, any_named=True, shares=linear.zero),
        "constant": RuleDefinition(_constant, KINDS, receives="none", any_named=True),
    }
)


@dataclass(frozen=True)
class Rule:
    """A rule, by name or one of one's own, with all its parameters.

    Raises InputError for an unknown name or parameter, and for a parameter out of range.
    """

    name: str
    parameters: Mapping[str, Any] = field(hash=False)
    own: RuleDefinition | None = None

    def __post_init__(self) -> None:
        if self.own is None and (not isinstance(self.name, str) or self.name not in RULES):
            allowed = f"{', '.join(RULES)}, or a function made a rule by relprop.rule"
            raise InputError(f"unknown rule {self.name!r}", allowed, suggest(self.name, RULES))
        known = self.definition.parameters
        given = complete_parameters(f'rule "{self.name}"', known, self.parameters)
        if self.own is None:
            _check(given)
        object.__setattr__(self, "parameters", given)

    @classmethod
    def of(cls, rule: "str | RuleDefinition", parameters: Mapping[str, Any]) -> "Rule":
        """The rule of a name, or one of one's own."""
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
        """Whether what it gives to a position may depend on other positions, or on which it is."""
        measured = self.parameters.get("relative") or any(
            isinstance(value, Tensor) for value in self.parameters.values()
        )
        return self.own is not None or bool(measured)

    @property
    def definition(self) -> RuleDefinition:
        """The function, what it is for, and the form of what it gives."""
        return self.own or RULES[self.name]

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={brief(value)}" for key, value in self.parameters.items())
        return f"{self.name}({inside})" if inside else self.name


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return not isinstance(a, Tensor) and not isinstance(b, Tensor) and bool(a == b)
    return (a.shape, a.dtype) == (b.shape, b.dtype) and a.cpu().equal(b.cpu())


def brief(value: Any) -> str:
    """A parameter's value in a few characters."""
    if isinstance(value, Tensor):
        return f"tensor{list(value.shape)}"
    return f"{value:g}" if isinstance(value, float) else str(value)


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
