"""The preset recipes: functions from parameters to the rows of a recipe.

The uniform ones give one rule to every layer. The epsilon-... ones give each depth its own, and are
defined as in the Zennit library (Anders et al. 2021), with its defaults. attnlrp and cp-lrp are
those of Achtibat et al. 2024 and Ali et al. 2022, by default without an epsilon at layers, as in
the efficient rules of the authors' own library: relevance per unit of a sum is not divided by it.
Between layers all but cp-lrp agree.
"""

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType

from torch import Tensor

from ..graph.ops import LAYERS, WEIGHTED_SUMS, Kind
from ..rules.registry import Rule
from .selectors import RecipeRow, Selector

ZERO = Rule("zero", {})
PLUS = Rule("z-plus", {})
FLAT = Rule("flat", {})
POOLING = RecipeRow(Selector(kinds=("average-pool",)), Rule("epsilon", {}))


def _between(softmax: str, attention: str) -> list[RecipeRow]:
    """The rows for what stands between layers, as AttnLRP has it where it defines it."""
    rules: list[tuple[tuple[Kind, ...], str]] = [
        (("softmax",), softmax),
        (("attention",), attention),
        (("product", "matmul"), "uniform"),
        (("gate",), "constant-gate"),
        (("normalisation",), "constant-statistics"),
        (("recurrent",), "signal-takes-all"),
    ]
    return [POOLING, *(RecipeRow(Selector(kinds=kinds), Rule(name, {})) for kinds, name in rules)]


BETWEEN = _between("taylor", "attnlrp")


def _uniform(rule: Rule) -> list[RecipeRow]:
    return [RecipeRow(Selector(kinds=LAYERS), rule), *BETWEEN]


def _by_kind(convolution: Rule, linear: Rule) -> list[RecipeRow]:
    rows = [(("convolution",), convolution), (("linear",), linear)]
    return [*(RecipeRow(Selector(kinds=kinds), rule) for kinds, rule in rows), *BETWEEN]  # type: ignore[arg-type]


def _epsilon(epsilon: float, relative: bool) -> Rule:
    return Rule("epsilon", {"epsilon": epsilon, "relative": relative})


def _zero() -> list[RecipeRow]:
    return [RecipeRow(Selector(kinds=WEIGHTED_SUMS), ZERO), *BETWEEN[1:]]


def _uniform_epsilon(*, epsilon: float = 1e-6, relative: bool = False) -> list[RecipeRow]:
    return _uniform(_epsilon(epsilon, relative))


def _uniform_gamma(*, gamma: float = 0.25) -> list[RecipeRow]:
    return _uniform(Rule("gamma", {"gamma": gamma}))


def _uniform_alpha_beta(*, alpha: float = 2.0, beta: float = 1.0) -> list[RecipeRow]:
    return _uniform(Rule("alpha-beta", {"alpha": alpha, "beta": beta}))


def _epsilon_plus(*, epsilon: float = 1e-6, relative: bool = False) -> list[RecipeRow]:
    return _by_kind(PLUS, _epsilon(epsilon, relative))


def _epsilon_plus_flat(*, epsilon: float = 1e-6, relative: bool = False) -> list[RecipeRow]:
    first = RecipeRow(Selector(kinds=LAYERS, depth="first"), FLAT)
    return [first, *_epsilon_plus(epsilon=epsilon, relative=relative)]


def _epsilon_gamma_box(
    *,
    low: float | Tensor,
    high: float | Tensor,
    epsilon: float = 1e-6,
    relative: bool = False,
    gamma: float = 0.25,
) -> list[RecipeRow]:
    box = Rule("z-box", {"low": low, "high": high})
    first = RecipeRow(Selector(kinds=("convolution",), depth="first"), box)
    return [first, *_by_kind(Rule("gamma", {"gamma": gamma}), _epsilon(epsilon, relative))]


def _epsilon_alpha2_beta1(*, epsilon: float = 1e-6, relative: bool = False) -> list[RecipeRow]:
    rule = Rule("alpha-beta", {"alpha": 2.0, "beta": 1.0})
    return _by_kind(rule, _epsilon(epsilon, relative))


def _epsilon_alpha2_beta1_flat(*, epsilon: float = 1e-6, relative: bool = False) -> list[RecipeRow]:
    first = RecipeRow(Selector(kinds=LAYERS, depth="first"), FLAT)
    return [first, *_epsilon_alpha2_beta1(epsilon=epsilon, relative=relative)]


def _attnlrp(*, epsilon: float = 0.0) -> list[RecipeRow]:
    return _uniform(_epsilon(epsilon, relative=False))


def _cp_lrp(*, epsilon: float = 0.0) -> list[RecipeRow]:
    layers = RecipeRow(Selector(kinds=LAYERS), _epsilon(epsilon, relative=False))
    gates = RecipeRow(Selector(kinds=("product",)), Rule("constant-gate", {}))
    return [layers, gates, *_between("constant", "cp-lrp")]


def _auto() -> list[RecipeRow]:
    return []


def automatic(kinds: Container[Kind]) -> tuple[str, str]:
    """The preset for a model that has operations of these kinds, and why."""
    if "attention" in kinds or ("softmax" in kinds and "matmul" in kinds):
        return "attnlrp", "the model has attention"
    if "recurrent" in kinds:
        return "epsilon", "the model is recurrent"
    if "convolution" in kinds:
        return "epsilon-plus-flat", "the model is convolutional"
    return "epsilon", "the model has neither attention nor convolutions"


PRESETS: Mapping[str, Callable[..., list[RecipeRow]]] = MappingProxyType(
    {
        "auto": _auto,
        "zero": _zero,
        "epsilon": _uniform_epsilon,
        "gamma": _uniform_gamma,
        "alpha-beta": _uniform_alpha_beta,
        "epsilon-plus": _epsilon_plus,
        "epsilon-plus-flat": _epsilon_plus_flat,
        "epsilon-gamma-box": _epsilon_gamma_box,
        "epsilon-alpha2-beta1": _epsilon_alpha2_beta1,
        "epsilon-alpha2-beta1-flat": _epsilon_alpha2_beta1_flat,
        "attnlrp": _attnlrp,
        "cp-lrp": _cp_lrp,
    }
)
