"""The peers as functions: a network, a batch and a class per sample -> relevance like the batch.

Each starts from the score of the class. A peer that writes on a model gets a copy.
"""

import copy
import warnings
from collections.abc import Callable
from fnmatch import fnmatch

import torch
from parity_networks import Exp
from torch import Tensor, nn

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]  # model, x (n, ...), classes (n,)


def initial_relevance(output: Tensor, classes: Tensor) -> Tensor:
    """Return the score of each sample's class in its place, and 0 elsewhere."""
    chosen = nn.functional.one_hot(classes, output.shape[1]).to(output)
    return (output * chosen).detach()


# ---- Zennit --------------------------------------------------------------------------------------


def by_zennit(build: Callable[[], object]) -> Method:
    """Explain with a Zennit composite, which is built when it is used."""
    from zennit.attribution import Gradient
    from zennit.torchvision import ResNetCanonizer

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        composite = build()
        composite.canonizers = [ResNetCanonizer()]
        with Gradient(copy.deepcopy(model), composite) as attributor:
            return attributor(x.clone(), lambda z: initial_relevance(z, classes))[1].detach()

    return explain


def zennit_sums() -> tuple[type, object]:
    """Return Zennit's row for sums, with the smallest positive stabiliser instead of 1e-6."""
    from zennit.layer import Sum
    from zennit.rules import Norm

    return Sum, Norm(torch.finfo(torch.float32).tiny)


def zennit_uniform(rule: str, exact_sums: str = "*", **parameters: float) -> Method:
    """Explain with one of Zennit's rules at every linear layer.

    Sums whose names match `exact_sums` have no stabiliser. `Exp` gets the rule of activations.
    """
    from zennit import composites, rules, types
    from zennit.core import Composite

    def build() -> object:
        kind, exact = zennit_sums()
        layers = (types.Linear, getattr(rules, rule)(**parameters))
        rows = [(Exp, rules.Pass()), *composites.layer_map_base(), layers]
        by_type = composites.LayerMapComposite(rows)

        def choose(context: dict, name: str, module: nn.Module) -> object:
            if isinstance(module, kind) and fnmatch(name, exact_sums):
                return exact
            return by_type.mapping(context, name, module)

        return Composite(module_map=choose)

    return by_zennit(build)


def zennit_composite(name: str, *, exact_sums: bool = True, **parameters: float) -> Method:
    """Explain with one of Zennit's composites; with exact sums, these have no stabiliser."""
    from zennit.composites import COMPOSITES

    def build() -> object:
        return COMPOSITES[name](layer_map=[zennit_sums()] if exact_sums else None, **parameters)

    return by_zennit(build)


# ---- Captum --------------------------------------------------------------------------------------


def by_captum(rule: str, stabiliser: float | None = 1e-6, **parameters: object) -> Method:
    """Explain with one of Captum's rules at every linear layer; None keeps its stabiliser.

    Average pools get the epsilon rule with relprop's epsilon, maxima the same without one.
    """
    from captum.attr import LRP
    from captum.attr._utils import lrp_rules

    def build(name: str, size: float | None, **options: object) -> object:
        captum_rule = getattr(lrp_rules, name)(**options)
        if size is not None:
            captum_rule.STABILITY_FACTOR = size
        return captum_rule

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        model = copy.deepcopy(model)
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.rule = build(rule, stabiliser, **parameters)
            elif isinstance(module, nn.AdaptiveAvgPool2d) and stabiliser is not None:
                module.rule = build("EpsilonRule", 1e-6)
            elif isinstance(module, nn.MaxPool2d) and stabiliser is not None:
                module.rule = build("EpsilonRule", torch.finfo(torch.float32).tiny)
        return LRP(model).attribute(x.clone(), target=classes).detach()

    return explain


# ---- autoLRP -------------------------------------------------------------------------------------


def by_autolrp(config: str = "LRPConfig") -> Method:
    """Explain with autoLRP's default or a preset, one sample at a time.

    It starts from 1, and the result is multiplied by the score. A batch would have to be summed to
    a scalar, and the rule of sums would share 1 among samples.
    """
    import autolrp

    default = config == "LRPConfig"
    rules = autolrp.LRPConfig() if default else getattr(autolrp.LRPConfig, config)()

    def explain_sample(model: nn.Module, x: Tensor, label: int) -> Tensor:
        wrapped = autolrp.tensor(x[None])
        score = model(wrapped)[0, label]
        score.lrp(config=rules)
        return wrapped.relevance[0].as_subclass(Tensor) * score.item()

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        model = copy.deepcopy(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pairs = zip(x, classes.tolist(), strict=True)
            return torch.stack([explain_sample(model, sample, label) for sample, label in pairs])

    return explain


# ---- LXT -----------------------------------------------------------------------------------------


def by_lxt(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """Explain with LXT's explicit rules: `model.explicit` runs in LXT's own operations."""
    x = x.clone().requires_grad_()
    output = model.explicit(x)
    return torch.autograd.grad(output, x, initial_relevance(output, classes))[0]
