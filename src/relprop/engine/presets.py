"""The preset recipes: functions from parameters to the rows of a recipe.

The uniform ones give one rule to every layer. The others give each depth its own, and are defined
as in the Zennit library (Anders et al. 2021), with its defaults.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

from .rows import POOL, Kind, Row, Selector
from .rulebook import Rule

ZERO = Rule("zero", {})
PLUS = Rule("z-plus", {})
FLAT = Rule("flat", {})
POOLING = Row(Selector(kinds=(POOL,)), Rule("epsilon", {}))
LAYERS: tuple[Kind, ...] = ("convolution", "linear")


def _uniform(rule: Rule) -> list[Row]:
    return [Row(Selector(kinds=LAYERS), rule), POOLING]


def _by_kind(convolution: Rule, linear: Rule) -> list[Row]:
    rows = [(("convolution",), convolution), (("linear",), linear)]
    return [*(Row(Selector(kinds=kinds), rule) for kinds, rule in rows), POOLING]  # type: ignore[arg-type]


def _epsilon(epsilon: float, relative: bool) -> Rule:
    return Rule("epsilon", {"epsilon": epsilon, "relative": relative})


def _zero() -> list[Row]:
    return [Row(Selector(), ZERO)]


def _uniform_epsilon(*, epsilon: float = 1e-6, relative: bool = False) -> list[Row]:
    return _uniform(_epsilon(epsilon, relative))


def _uniform_gamma(*, gamma: float = 0.25) -> list[Row]:
    return _uniform(Rule("gamma", {"gamma": gamma}))


def _uniform_alpha_beta(*, alpha: float = 2.0, beta: float = 1.0) -> list[Row]:
    return _uniform(Rule("alpha-beta", {"alpha": alpha, "beta": beta}))


def _epsilon_plus(*, epsilon: float = 1e-6, relative: bool = False) -> list[Row]:
    return _by_kind(PLUS, _epsilon(epsilon, relative))


def _epsilon_plus_flat(*, epsilon: float = 1e-6, relative: bool = False) -> list[Row]:
    first = Row(Selector(kinds=LAYERS, first=True), FLAT)
    return [first, *_epsilon_plus(epsilon=epsilon, relative=relative)]


def _epsilon_gamma_box(
    *,
    low: float | Tensor,
    high: float | Tensor,
    epsilon: float = 1e-6,
    relative: bool = False,
    gamma: float = 0.25,
) -> list[Row]:
    box = Rule("z-box", {"low": low, "high": high})
    first = Row(Selector(kinds=("convolution",), first=True), box)
    return [first, *_by_kind(Rule("gamma", {"gamma": gamma}), _epsilon(epsilon, relative))]


def _epsilon_alpha2_beta1(*, epsilon: float = 1e-6, relative: bool = False) -> list[Row]:
    rule = Rule("alpha-beta", {"alpha": 2.0, "beta": 1.0})
    return _by_kind(rule, _epsilon(epsilon, relative))


def _epsilon_alpha2_beta1_flat(*, epsilon: float = 1e-6, relative: bool = False) -> list[Row]:
    first = Row(Selector(kinds=LAYERS, first=True), FLAT)
    return [first, *_epsilon_alpha2_beta1(epsilon=epsilon, relative=relative)]


PRESETS: Mapping[str, Callable[..., list[Row]]] = MappingProxyType(
    {
        "zero": _zero,
        "epsilon": _uniform_epsilon,
        "gamma": _uniform_gamma,
        "alpha-beta": _uniform_alpha_beta,
        "epsilon-plus": _epsilon_plus,
        "epsilon-plus-flat": _epsilon_plus_flat,
        "epsilon-gamma-box": _epsilon_gamma_box,
        "epsilon-alpha2-beta1": _epsilon_alpha2_beta1,
        "epsilon-alpha2-beta1-flat": _epsilon_alpha2_beta1_flat,
    }
)
