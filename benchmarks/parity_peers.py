"""The peers as functions: a network, a batch and a class per sample -> relevance like the batch.

Each is seeded with the score of the class. What a peer writes on a model goes on a copy.
"""

import copy
import warnings
from collections.abc import Callable
from fnmatch import fnmatch

import torch
from torch import Tensor, nn

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]  # model, x (n, ...), classes (n,)


def seed(output: Tensor, classes: Tensor) -> Tensor:
    """The score of each sample's class at its place, else 0."""
    chosen = nn.functional.one_hot(classes, output.shape[1]).to(output)
    return (output * chosen).detach()


# ---- Zennit --------------------------------------------------------------------------------------


def by_zennit(build: Callable[[], object]) -> Method:
    """A Zennit composite, made when it is used."""
    from zennit.attribution import Gradient
    from zennit.torchvision import ResNetCanonizer

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        composite = build()
        composite.canonizers = [ResNetCanonizer()]
        with Gradient(copy.deepcopy(model), composite) as attributor:
            return attributor(x.clone(), lambda z: seed(z, classes))[1].detach()

    return explain


def zennit_sums() -> tuple[type, object]:
    """Zennit's row for sums, with the least stabiliser that there is in place of 1e-6."""
    from zennit.layer import Sum
    from zennit.rules import Norm

    return Sum, Norm(torch.finfo(torch.float32).tiny)


def zennit_uniform(rule: str, exact_sums: str = "*", **parameters: float) -> Method:
    """One of Zennit's rules at every weighted sum; sums of these names have no stabiliser."""
    from zennit import composites, rules, types
    from zennit.core import Composite

    def build() -> object:
        kind, exact = zennit_sums()
        rows = [*composites.layer_map_base(), (types.Linear, getattr(rules, rule)(**parameters))]
        by_type = composites.LayerMapComposite(rows)

        def choose(context: dict, name: str, module: nn.Module) -> object:
            if isinstance(module, kind) and fnmatch(name, exact_sums):
                return exact
            return by_type.mapping(context, name, module)

        return Composite(module_map=choose)

    return by_zennit(build)


def zennit_composite(name: str, *, exact_sums: bool = True, **parameters: float) -> Method:
    """One of Zennit's composites; with exact sums, theirs have no stabiliser."""
    from zennit.composites import COMPOSITES

    def build() -> object:
        return COMPOSITES[name](layer_map=[zennit_sums()] if exact_sums else None, **parameters)

    return by_zennit(build)


# ---- Captum --------------------------------------------------------------------------------------


def by_captum(rule: str, stabiliser: float | None = 1e-6, **parameters: object) -> Method:
    """One of Captum's rules at every weighted sum, its stabiliser set unless it is None.

    Average pools get the epsilon rule with relprop's epsilon, maxima the same with none.
    """
    from captum.attr import LRP
    from captum.attr._utils import lrp_rules

    def made(name: str, size: float | None, **given: object) -> object:
        one = getattr(lrp_rules, name)(**given)
        if size is not None:
            one.STABILITY_FACTOR = size
        return one

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        model = copy.deepcopy(model)
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.rule = made(rule, stabiliser, **parameters)
            elif isinstance(module, nn.AdaptiveAvgPool2d) and stabiliser is not None:
                module.rule = made("EpsilonRule", 1e-6)
            elif isinstance(module, nn.MaxPool2d) and stabiliser is not None:
                module.rule = made("EpsilonRule", torch.finfo(torch.float32).tiny)
        return LRP(model).attribute(x.clone(), target=classes).detach()

    return explain


# ---- autoLRP -------------------------------------------------------------------------------------


def by_autolrp(config: str = "LRPConfig") -> Method:
    """The default of autoLRP, or a preset; one sample at a time, its seed of 1 times the score.

    A batch would have to be summed to a scalar, and the sum's rule would share 1 among samples.
    """
    import autolrp

    made = autolrp.LRPConfig() if config == "LRPConfig" else getattr(autolrp.LRPConfig, config)()

    def one(model: nn.Module, x: Tensor, label: int) -> Tensor:
        wrapped = autolrp.tensor(x[None])
        score = model(wrapped)[0, label]
        score.lrp(config=made)
        return wrapped.relevance[0].as_subclass(Tensor) * score.item()

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        model = copy.deepcopy(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pairs = zip(x, classes.tolist(), strict=True)
            return torch.stack([one(model, sample, label) for sample, label in pairs])

    return explain


# ---- LXT -----------------------------------------------------------------------------------------


def by_lxt(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """LXT's explicit rules: `model.explicit` runs the network in LXT's own operations."""
    x = x.clone().requires_grad_()
    output = model.explicit(x)
    return torch.autograd.grad(output, x, seed(output, classes))[0]
