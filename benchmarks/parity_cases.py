"""The cases: a peer's rule or preset on a network, and the recipe of relprop to compare it with.

A case with a `why` is one in which the two differ, by definition or by rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import parity_language as language
import parity_networks as networks
import parity_peers as peers
import parity_units as units
from parity_crp import by_crp, crp_version
from parity_peers import Method
from torch import nn

from relprop import Recipe, Selector

BOX = {"low": -3.0, "high": 3.0}
NETWORKS = {**networks.BUILDERS, **units.BUILDERS, **language.BUILDERS}

SUMS = (
    "At a residual sum z = a + b, Zennit stabilises by 1e-6: a receives a / (z + 1e-6 sign z) of "
    "the relevance. In relprop relevance per unit of activation passes through a sum unchanged, "
    "which is the same with a stabiliser of 0. (Below flat, w-squared and z-box relevance itself "
    "arrives at a sum, and relprop stabilises by 1e-6, too.) In the rows that pass, Zennit's "
    "stabiliser of sums is the smallest positive number."
)
UNSTABLE = (
    "With a rule at every layer that gives relevance to inputs of zero, relevance itself arrives "
    "at residual sums close to zero, and a / (z + 1e-6) magnifies the last digit of z: in float32 "
    "relprop's own map changes by about as much when the last digit of each input changes. In "
    "float64 the maps agree. Zennit's stabilisers of sums are set to relprop's: none after the "
    "average pool, 1e-6 elsewhere. Presets use such rules in the first layer only."
)
NORMS = (
    "Zennit before 1.0 counts BatchNorm's eps twice when it merges the BatchNorm into a layer. "
    "Zennit 1.0 counts it once, as relprop does."
)
ACTIVATIONS = (
    "Zennit's Pass, its rule of activations, passes relevance through unchanged, whatever f(0) is. "
    "In relprop an activation with f(0) != 0 is f(0), a bias that absorbs its part, and the rise "
    "f(x) - f(0), whose secant (f(x) - f(0)) / x carries relevance. In the rows that pass, relprop "
    "has the rule pass-through, which does what Pass does."
)
DEFAULTS = (
    "Captum stabilises by 1e-9 in every rule, at max and average pools, too. relprop stabilises by "
    "1e-6 (epsilon: by its parameter), and not at maxima."
)
BIASES = (
    "Captum's gamma and alpha1-beta0 modify the weights, but keep the bias as it is, negative part "
    "included, or drop it. In relprop and Zennit a bias is the weight of an input of 1, and is "
    "modified as any weight."
)
SIGNS = (
    "Captum's gamma and alpha1-beta0 are for inputs >= 0. relprop's and Zennit's look at the sign "
    "of each contribution."
)
SHARES = (
    "autoLRP first gives a bias the share |b| / (|z| + |b|) of the relevance, then leaves it out "
    "of z. In relprop the bias is part of z, and absorbs what it contributed."
)
POOLS = (
    "autoLRP distributes the relevance of an average pool evenly, whatever the inputs; relprop in "
    "proportion to the inputs."
)
ADDS = (
    "autoLRP splits a sum of two by absolute values, |a| / (|a| + |b|), passes relevance through "
    "BatchNorm unchanged, and distributes that of average pools evenly."
)
UNSIGNED = (
    "LXT adds epsilon without the sign of z: z + epsilon. For negative z this moves the "
    "denominator towards zero. relprop moves it away from zero. In the rows that pass, both use 0."
)
FLOATS = "LXT and transformers' Llama compute RMSNorm in float32, whatever the dtype of the input."
LAYOUT = (
    "In float32 relprop convolves pictures in channels-last, where torch's convolutions round by "
    "1e-6 of a layer's norm, and by 2e-7 in the other memory format. A unit near zero, or a "
    "maximum near a tie, may switch: autoLRP always computes in the other format, and relprop's "
    "alpha-beta computes z as the sum of its positive and its negative part. In float64 the maps "
    "agree."
)
ARITHMETIC = (UNSTABLE, LAYOUT, FLOATS)


@dataclass(frozen=True)
class Case:
    """A peer's method and relprop's recipe and options, for a network of `NETWORKS`.

    `peer` is a name with a version.
    """

    peer: str
    what: str
    network: str
    recipe: Callable[[nn.Module], Recipe]
    method: Method
    why: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def released(peer: str) -> str:
    """Name a peer with the version that is installed."""
    return f"{peer} {version(peer)}"


def preset(name: str, **parameters: float) -> Callable[[nn.Module], Recipe]:
    """Return a preset for any network."""
    return lambda model: Recipe.preset(name, **parameters)


def everywhere(rule: str, **parameters: float) -> Callable[[nn.Module], Recipe]:
    """Return a recipe with a rule at every convolution and linear layer."""

    def build(model: nn.Module) -> Recipe:
        recipe = Recipe.preset("epsilon")
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                recipe = recipe.using(name, rule, **parameters)
        return recipe

    return build


def passing(operation: str, recipe: Callable[[nn.Module], Recipe]) -> Callable[[nn.Module], Recipe]:
    """Return a recipe in which an operation passes relevance through unchanged."""
    return lambda model: recipe(model).using(Selector(operation=operation), "pass-through")


# ---- Zennit --------------------------------------------------------------------------------------

ZENNIT = released("Zennit")
RULES: dict[str, tuple[str, dict[str, float]]] = {
    "Epsilon": ("epsilon", {}),
    "Gamma": ("gamma", {}),
    "AlphaBeta": ("alpha-beta", {}),
    "ZPlus": ("z-plus", {}),
    "Flat": ("flat", {}),
    "WSquare": ("w-squared", {}),
    "ZBox": ("z-box", BOX),
}
COMPOSITES: dict[str, tuple[str, dict[str, float]]] = {
    "EpsilonPlus": ("epsilon-plus", {}),
    "EpsilonPlusFlat": ("epsilon-plus-flat", {}),
    "EpsilonGammaBox": ("epsilon-gamma-box", BOX),
    "EpsilonAlpha2Beta1": ("epsilon-alpha2-beta1", {}),
    "EpsilonAlpha2Beta1Flat": ("epsilon-alpha2-beta1-flat", {}),
}


def zennit_rules(network: str) -> list[Case]:
    """List Zennit's rules, each at every layer."""
    cases = []
    for theirs, (ours, given) in RULES.items():
        odd = network == "ResNet18" and theirs in ("Flat", "WSquare", "ZBox")
        sums = "layer4.1.*" if odd else "*"  # relevance itself arrives at the sums below
        method = peers.zennit_uniform(theirs, sums, **given)
        why = UNSTABLE if odd else LAYOUT if (theirs, network) == ("AlphaBeta", "VGG16") else ""
        cases.append(Case(ZENNIT, theirs, network, everywhere(ours, **given), method, why))
    return cases


def zennit_composites(network: str, why: str = "", *, exact: bool = True) -> list[Case]:
    """List Zennit's composites."""
    cases = []
    for theirs, (ours, given) in COMPOSITES.items():
        name = ours.replace("-", "_")
        method = peers.zennit_composite(name, exact_sums=exact, **given)
        odd = (theirs, network) == ("EpsilonAlpha2Beta1", "VGG16")
        reason = LAYOUT if odd else why
        cases.append(Case(ZENNIT, theirs, network, preset(ours, **given), method, reason))
    return cases


def zennit_activations(operation: str) -> list[Case]:
    """List an activation that is not 0 at 0, by relprop's default and by the rule of Zennit."""
    what, network = f"Epsilon, Pass at {operation}", f"dense, {operation}"
    recipe, method = everywhere("epsilon"), peers.zennit_uniform("Epsilon")
    return [
        Case(ZENNIT, what, network, recipe, method, ACTIVATIONS),
        Case(ZENNIT, what, network, passing(operation, recipe), method),
    ]


def zennit() -> list[Case]:
    """List all cases of Zennit."""
    cases = zennit_rules("VGG16") + zennit_composites("VGG16")
    cases += zennit_rules("ResNet18") + zennit_composites("ResNet18")
    cases += zennit_composites("ResNet18", SUMS, exact=False)
    norms = NORMS if version("zennit").startswith("0.") else ""
    cases += zennit_composites("ResNet18, BatchNorm's eps 1e-5", norms)[:1]
    return cases + zennit_activations("sigmoid") + zennit_activations("exp")


# ---- Captum and autoLRP --------------------------------------------------------------------------

CAPTUM, AUTOLRP = released("Captum"), released("autoLRP")
PLAIN = "VGG16 without biases and average pool"
BIASED = "VGG16 without average pool"
CAPTUM_RULES = {"EpsilonRule": "epsilon", "GammaRule": "gamma", "Alpha1_Beta0_Rule": "z-plus"}


def captum() -> list[Case]:
    """List Captum's three rules."""
    whys = {"EpsilonRule": {}, "GammaRule": {}, "Alpha1_Beta0_Rule": {}}
    for rule in ("GammaRule", "Alpha1_Beta0_Rule"):
        whys[rule] = {BIASED: BIASES, "VGG16": f"{BIASES} {SIGNS}"}
    cases = []
    for theirs, ours in CAPTUM_RULES.items():
        for network in (PLAIN, BIASED, "VGG16"):
            why = whys[theirs].get(network, "")
            method = peers.by_captum(theirs)
            cases.append(Case(CAPTUM, theirs, network, everywhere(ours), method, why))
        method = peers.by_captum(theirs, None)
        what = f"{theirs}, its own stabiliser"
        cases.append(Case(CAPTUM, what, PLAIN, everywhere(ours), method, DEFAULTS))
    return cases


def autolrp() -> list[Case]:
    """List autoLRP's default and its composite."""
    configurations = (
        ("default", peers.by_autolrp(), preset("epsilon", epsilon=1e-11)),
        ("composite", peers.by_autolrp("composite"), preset("epsilon-plus")),
    )
    whys = {PLAIN: "", BIASED: SHARES, "VGG16": f"{SHARES} {POOLS}", "ResNet18": f"{SHARES} {ADDS}"}
    return [
        Case(AUTOLRP, what, network, recipe, method, why or (LAYOUT if what == "default" else ""))
        for what, method, recipe in configurations
        for network, why in whys.items()
    ]


# ---- LXT -----------------------------------------------------------------------------------------

LXT = released("LXT")


def lxt_units() -> list[Case]:
    """List explicit rules, one operation at a time, with and without LXT's stabilisers."""
    cases = []
    for name in units.OPERATIONS:
        for kind, epsilon, why in (("exact", 0.0, ""), ("as shipped", 1e-6, UNSIGNED)):
            recipe = preset("attnlrp", epsilon=epsilon)
            why = FLOATS if name == "RMS norm" else why
            what = f"explicit rules, {kind}"
            cases.append(Case(LXT, what, f"{name}, {kind}", recipe, peers.by_lxt, why))
    return cases


def lxt_models() -> list[Case]:
    """List efficient rules on whole models; CP-LRP is defined for Llama only."""
    cases = []
    for network in language.BUILDERS:
        name, attention = network.removesuffix(" attention").split(", ")
        why = FLOATS if name == "Llama" else ""
        method = language.by_efficient(name, attention, "attnLRP")
        recipe = preset("attnlrp", epsilon=0.0)
        cases.append(Case(LXT, "efficient AttnLRP", network, recipe, method, why))
        if name == "Llama":
            method = language.by_efficient(name, attention, "cp_LRP")
            recipe = preset("cp-lrp", epsilon=0.0)
            cases.append(Case(LXT, "efficient CP-LRP", network, recipe, method, why))
    return cases


# ---- zennit-crp ----------------------------------------------------------------------------------

CONDITIONS: dict[str, dict[str, list[int]]] = {
    "a convolution of a block": {"layer4.1.conv1": [7]},
    "three convolutions in series": {
        "layer4.1.conv2": [1, 2, 3, 4],
        "layer4.1.conv1": [7, 9, 11],
        "layer1.0.conv1": [0, 1],
    },
    "the shortcut of a block": {"layer4.0.downsample.0": [7]},
    "a ReLU that is called twice": {"layer4.1.relu": [7]},
}


def zennit_crp(python: str) -> list[Case]:
    """List conditions on ResNet18, without what is parallel to them and with it."""
    peer = f"zennit-crp {crp_version(python)}"
    return [
        Case(
            peer,
            f"Epsilon, {name}{'' if exclude else ', with parallel paths'}",
            "ResNet18",
            everywhere("epsilon"),
            by_crp(python, "ResNet18", conditions, exclude),
            options={"conditions": conditions, "keep_parallel": not exclude},
        )
        for name, conditions in CONDITIONS.items()
        for exclude in (True, False)
    ]


def cases(crp_python: str | None = None) -> list[Case]:
    """List all cases; those of zennit-crp if the Python of its environment is given."""
    conditional = zennit_crp(crp_python) if crp_python else []
    return zennit() + captum() + autolrp() + lxt_units() + lxt_models() + conditional
