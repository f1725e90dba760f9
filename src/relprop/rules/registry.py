"""The registry of rules by name, and the decorator that makes a custom rule.

Knows the functions and what they are for. Must not know models, or which operation gets a rule.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from torch import Tensor

from ..errors import InputError, RuleError
from ..graph.ops import ACTIVATIONS, COMPARISONS, KINDS, LAYERS, STEPS, WEIGHTED_SUMS, Kind
from ..support.arguments import keyword_parameters
from . import linear, nonlinear, recurrent, steps, sums
from .backward import Back, Form
from .layer import WeightedSum
from .shares import Shares

Receives = Literal["all", "signal", "none"]


@dataclass(frozen=True)
class RuleDefinition:
    """A rule: its function, the operations it is for, and the form of the relevance that it gives.

    Attributes:
        function: Built-in rules of weighted sums: keyword parameters -> `Shares`. All others: the
            operation that was run (a `WeightedSum`, a `Recurrent` or a `Traced`) and keyword
            parameters -> a `Back`.
        kinds: The kinds of operations that can take it.
        gives: The form of the relevance that it gives to its inputs.
        receives: Which inputs it gives relevance to: all that depend on the explained input; the
            signal alone, where another one is a gate or a statistic; or none.
        any_named: Whether any operation can take it in a row that names its module.
        operations: The operations that can take it, where these take no kind of rule.
        shares: The function that returns its shares at weighted sums; None for custom rules.
        vjp_scale: The number that the operation's VJP is multiplied by; 0 if the rule does more
            than that.
    """

    function: Callable[..., Any]
    kinds: tuple[Kind, ...]
    gives: Form = Form.PER_UNIT
    receives: Receives = "all"
    any_named: bool = False
    operations: frozenset[str] = frozenset()
    shares: Callable[..., Shares] | None = None
    vjp_scale: float = 0.0

    @property
    def name(self) -> str:
        """Return its name in plans and messages."""
        return self.function.__name__.replace("_", "-")

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Return its keyword parameters by name."""
        return MappingProxyType(keyword_parameters(self.function))


def rule(
    kinds: Sequence[Kind] = LAYERS, gives: Literal["per-unit", "relevance"] = "per-unit"
) -> Callable[[Callable[..., Back]], RuleDefinition]:
    """Make a custom rule of a function, to be given to `Recipe.using`.

    The function takes the layer that was run, and keyword parameters: `rule(layer, *, parameter)`.
    The layer is a `WeightedSum` for the kinds "convolution", "linear" and "average-pool", else the
    traced operation. The function returns a `relprop.Back`.

    Args:
        kinds: The kinds of operations that can take the rule.
        gives: "per-unit" if `pull` returns relevance per unit of x, "relevance" if it returns
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
    if gives not in ("per-unit", "relevance"):
        raise InputError(f"gives is {gives!r}", '"per-unit", "relevance"', 'write gives="per-unit"')
    return lambda function: RuleDefinition(_checked(function), tuple(kinds), Form(gives))


def _checked(function: Callable[..., Back]) -> Callable[..., Back]:
    """Wrap a custom rule: `pull` must return tensors of the inputs' shapes."""

    @functools.wraps(function)
    def checked(layer: Any, **parameters: Any) -> Back:
        back = function(
            layer.with_scale_applied if isinstance(layer, WeightedSum) else layer, **parameters
        )
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
    function: Callable[..., Shares], gives: Form = Form.PER_UNIT
) -> RuleDefinition:
    return RuleDefinition(function, WEIGHTED_SUMS, gives, shares=function)


# What papers and other libraries call the rules of weighted sums.
ALSO_CALLED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("lrp-0", "lrp0", "lrp-z", "z"), "zero"),
        **dict.fromkeys(("lrp-epsilon", "lrp-e"), "epsilon"),
        **dict.fromkeys(("lrp-gamma", "lrp-g"), "gamma"),
        **dict.fromkeys(("lrp-alpha-beta", "lrp-ab", "alpha2-beta1"), "alpha-beta"),
        **dict.fromkeys(("zplus", "z+", "lrp-z+"), "z-plus"),
        **dict.fromkeys(("zbox", "zb", "z-b"), "z-box"),
        **dict.fromkeys(("w2", "w^2", "wsquare"), "w-squared"),
    }
)

_COMPARED = COMPARISONS | {"heaviside"}

RULES: Mapping[str, RuleDefinition] = MappingProxyType(
    {
        "zero": _of_weighted_sums(linear.zero),
        "epsilon": _of_weighted_sums(linear.epsilon),
        "gamma": _of_weighted_sums(linear.gamma),
        "gamma-by-sign": _of_weighted_sums(linear.gamma_by_sign),
        "alpha-beta": _of_weighted_sums(linear.alpha_beta),
        "z-plus": _of_weighted_sums(linear.z_plus),
        "flat": _of_weighted_sums(linear.flat, Form.RELEVANCE),
        "w-squared": _of_weighted_sums(linear.w_squared, Form.RELEVANCE),
        "z-box": _of_weighted_sums(linear.z_box, Form.RELEVANCE),
        "uniform": RuleDefinition(nonlinear.uniform, ("product", "gate", "matmul"), vjp_scale=0.5),
        "proportional": RuleDefinition(nonlinear.proportional, ("product", "gate")),
        "constant-gate": RuleDefinition(
            nonlinear.constant_gate, ("gate", "product"), receives="signal", vjp_scale=1.0
        ),
        "constant-statistics": RuleDefinition(
            nonlinear.constant_statistics,
            ("normalisation",),
            receives="signal",
            vjp_scale=1.0,
        ),
        "pass-through": RuleDefinition(
            nonlinear.pass_through, (), Form.RELEVANCE, operations=ACTIVATIONS
        ),
        "taylor": RuleDefinition(nonlinear.taylor, ("softmax",), vjp_scale=1.0),
        "attnlrp": RuleDefinition(nonlinear.attnlrp, ("attention",)),
        "cp-lrp": RuleDefinition(nonlinear.cp_lrp, ("attention",), receives="signal"),
        "signal-takes-all": RuleDefinition(recurrent.signal_takes_all, ("recurrent",)),
        "straight-through": RuleDefinition(
            steps.straight_through, (), receives="signal", operations=STEPS
        ),
        "positive-sum": RuleDefinition(sums.positive_sum, (), operations=frozenset({"add"})),
        "absolute-sum": RuleDefinition(sums.absolute_sum, (), operations=frozenset({"add"})),
        "position-to-token": RuleDefinition(
            sums.position_to_token, (), operations=frozenset({"add"})
        ),
        "fast-sigmoid": RuleDefinition(steps.fast_sigmoid, (), operations=_COMPARED),
        "arctan": RuleDefinition(steps.arctan, (), operations=_COMPARED),
        # At a weighted sum, LRP-0 is the gradient, and it knows a folded batch norm.
        "gradient": RuleDefinition(nonlinear.gradient, KINDS, any_named=True, shares=linear.zero),
        "constant": RuleDefinition(_constant, KINDS, receives="none", any_named=True),
    }
)
