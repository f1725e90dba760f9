"""The methods that the benchmark times: made once for a workload, called again and again.

All explain the class that scores highest, seeded with its score.
"""

from collections.abc import Callable
from functools import partial

import torch
from architecture import Inputs, run
from attempt import by_autolrp, by_captum, differentiable, gradient_times_input
from torch import Tensor, nn
from workloads import BOX, Workload, recipe

import relprop

FLOOR = "gradient x input"
FORWARD = "forward only"
Method = Callable[[], Tensor | None]


def forward_only(model: nn.Module, x: Inputs) -> Method:
    """The model, and nothing else."""

    def call() -> None:
        with torch.no_grad():
            run(model, x)

    return call


def by_relprop(model: nn.Module, x: Inputs, name: str) -> Method:
    """The public call: classify, then explain what was predicted."""
    explainer = relprop.Explainer(model, recipe(name))
    return lambda: explainer(x).relevance


def every_class(model: nn.Module, x: Inputs, name: str) -> Method:
    """All classes in one call."""
    explainer = relprop.Explainer(model, recipe(name))
    return lambda: explainer(x, "all").relevance


def by_zennit(model: nn.Module, x: Inputs, name: str) -> Method:
    """Zennit's composite of the same name, registered for each call as its documentation has it."""
    from zennit import composites, rules, torchvision, types
    from zennit.attribution import Gradient

    module, leaf = differentiable(model, x)
    merged = [torchvision.ResNetCanonizer(), torchvision.VGGCanonizer()]
    if name == "epsilon":
        pairs = [(types.Activation, rules.Pass()), (types.AvgPool, rules.Norm())]
        pairs.append((types.Linear, rules.Epsilon()))
        composite = composites.LayerMapComposite(pairs, canonizers=merged)
    else:
        options = BOX if name.endswith("-box") else {}
        kind = composites.COMPOSITES[name.replace("-", "_")]
        composite = kind(canonizers=merged, **options)

    def seed(z: Tensor) -> Tensor:
        return torch.where(z == z.amax(1, keepdim=True), z, 0.0).detach()

    def explain() -> Tensor:
        with Gradient(module, composite) as attributor:
            return attributor(leaf.clone(), seed)[1].detach()

    return explain


def methods(workload: Workload) -> dict[str, Callable[[nn.Module, Inputs], Method]]:
    """How to make each method of a workload, by name: the floor first."""
    made: dict[str, Callable[[nn.Module, Inputs], Method]] = {
        FLOOR: gradient_times_input,
        FORWARD: forward_only,
    }
    for name in workload.recipes:
        made[f"relprop {name}"] = partial(by_relprop, name=name)
    if workload.name.startswith("mnist"):
        made["relprop epsilon-plus-flat, all 10 classes"] = partial(
            every_class, name="epsilon-plus-flat"
        )
    if "epsilon" in workload.recipes:
        for name in workload.recipes:
            made[f"Zennit {name}"] = partial(by_zennit, name=name)
        made["Captum LRP"] = lambda model, x: partial(by_captum, model, x)
        made["autoLRP"] = lambda model, x: partial(by_autolrp, model, x)
    return made
