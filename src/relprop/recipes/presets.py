"""Preset recipes: functions from parameters to the rows of a recipe.

Takes rule parameters. Gives rows. Must not know any model: depth and kind select the operations.

Uniform presets give one rule to every layer. The epsilon-... presets choose by depth and layer type
as the Zennit library does, with its defaults (Anders et al. 2021). attnlrp and cp-lrp are the
recipes of Achtibat et al. 2024 and Ali et al. 2022. Their layers have no epsilon by default, as in
the efficient rules of the authors' own library, where relevance per unit of activation passes a
layer without a division. Between layers all presets agree, except cp-lrp and libragrad, which is
the pruned and scaled gradient of Mehri et al. 2025 times the input.
"""

from collections.abc import Callable, Container, Mapping
from types import MappingProxyType

from torch import Tensor

from ..errors import InputError
from ..graph.ops import LAYERS, WEIGHTED_SUMS, Kind
from ..rules.registry import ALSO_CALLED, RULES
from ..rules.rule import Rule
from ..support.arguments import keyword_parameters, suggest
from .selectors import RecipeRow, Selector

ZERO = Rule("zero", {})
PLUS = Rule("z-plus", {})
FLAT = Rule("flat", {})
POOLING = RecipeRow(Selector(kinds=("average-pool",)), Rule("epsilon", {}))


def _rows_between_layers(softmax: str, attention: str) -> list[RecipeRow]:
    """Return the rows for all that is no layer: AttnLRP's rules wherever AttnLRP defines one."""
    rules: list[tuple[tuple[Kind, ...], str]] = [
        (("softmax",), softmax),
        (("attention",), attention),
        (("product", "matmul"), "uniform"),
        (("gate",), "constant-gate"),
        (("normalisation",), "constant-statistics"),
        (("recurrent",), "signal-takes-all"),
    ]
    return [POOLING, *(RecipeRow(Selector(kinds=kinds), Rule(name, {})) for kinds, name in rules)]


BETWEEN_LAYERS = _rows_between_layers("taylor", "attnlrp")


def _uniform(rule: Rule) -> list[RecipeRow]:
    return [RecipeRow(Selector(kinds=LAYERS), rule), *BETWEEN_LAYERS]


def _by_kind(convolution: Rule, linear: Rule) -> list[RecipeRow]:
    rules: dict[Kind, Rule] = {"convolution": convolution, "linear": linear}
    layers = [RecipeRow(Selector(kinds=(kind,)), rule) for kind, rule in rules.items()]
    return [*layers, *BETWEEN_LAYERS]


def _epsilon(epsilon: float, relative: bool) -> Rule:
    return Rule("epsilon", {"epsilon": epsilon, "relative": relative})


def _uniform_zero() -> list[RecipeRow]:
    return [RecipeRow(Selector(kinds=WEIGHTED_SUMS), ZERO), *BETWEEN_LAYERS[1:]]


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
    return [layers, gates, *_rows_between_layers("constant", "cp-lrp")]


def _libragrad() -> list[RecipeRow]:
    """Give x times the gradient of which attention, gates and deviations are held constant.

    Source: Mehri et al. 2025 (LibraGrad): the softmax of attention pruned, x g(x) by its gate g(x),
    layer norms by their deviation, either factor of a product by one half.
    """
    layers = RecipeRow(Selector(kinds=WEIGHTED_SUMS), ZERO)
    products = RecipeRow(Selector(kinds=("product", "matmul", "gate")), Rule("uniform", {}))
    return [layers, products, *_rows_between_layers("constant", "cp-lrp")]


def _auto() -> list[RecipeRow]:
    return []


def choose_preset(kinds: Container[Kind], has_tokens: bool) -> tuple[str, str]:
    """Return the preset that "auto" stands for in a model with these kinds, and the reason.

    The flat rule is for pixels, where black is a value like another. The embedding of padding is
    zero, and flat would give it the relevance of the tokens beside it.
    """
    if "attention" in kinds or ("softmax" in kinds and "matmul" in kinds):
        return "attnlrp", "the model has attention"
    if "recurrent" in kinds:
        return "epsilon", "the model is recurrent"
    if "convolution" in kinds and has_tokens:
        return "epsilon-plus", "the model is convolutional, over embeddings of tokens"
    if "convolution" in kinds:
        return "epsilon-plus-flat", "the model is convolutional"
    return "epsilon", "the model has neither attention nor convolutions"


def preset_with(parameter: str, preferred: str = "") -> str:
    """Return the preset that has a parameter: the preferred one if it has; "" if there is none."""
    names = dict.fromkeys([preferred, *PRESETS]) if preferred in PRESETS else PRESETS
    return next((n for n in names if parameter in keyword_parameters(PRESETS[n])), "")


def unknown_preset(name: object) -> InputError:
    """Return the error for a name that is no preset, with the one that has such a rule."""
    words = str(name).lower().replace("_", "-")
    rule = ALSO_CALLED.get(words, words)
    preset = _KNOWN_BY.get(rule, rule)
    todo = f'write "{preset}"' if preset in PRESETS else suggest(name, PRESETS)
    if preset not in PRESETS and rule in RULES and RULES[rule].shares:
        todo = f'it is a rule: write relprop.Recipe.preset("auto").using("*", "{rule}")'
    return InputError(f"unknown preset {name!r}", ", ".join(PRESETS), todo)


def usual_rule(kind: Kind) -> str:
    """Return the name of the rule that the preset "epsilon" gives to operations of a kind."""
    rows = _uniform_epsilon()
    return next(row.rule.name for row in rows if row.selector.kinds and kind in row.selector.kinds)


# A rule -> the preset that it is best known by, where that has another name.
_KNOWN_BY = {"z-plus": "epsilon-plus", "flat": "epsilon-plus-flat", "z-box": "epsilon-gamma-box"}

PRESETS: Mapping[str, Callable[..., list[RecipeRow]]] = MappingProxyType(
    {
        "auto": _auto,
        "zero": _uniform_zero,
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
        "libragrad": _libragrad,
    }
)
