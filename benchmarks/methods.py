"""The methods that the benchmark times: made once for a workload, called again and again.

All explain the class that scores highest, seeded with its score. To make relprop's is to capture,
plan and, if asked for, compile; what its peers do beforehand is part of making them, too.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from architecture import Inputs, run
from attempt import by_captum, differentiable, gradient_times_input
from lxt_rules import RULES, by_lxt
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from workloads import BOX, Workload, recipe

import relprop

FLOOR = "gradient x input"
FORWARD = "forward only"
CHANNELS_LAST = "gradient x input, channels last"
BARE = (FLOOR, CHANNELS_LAST, FORWARD)
COMPILED = ", compiled"
SAVED = ", saved plan"
ALL = "relprop epsilon-plus-flat, all 10 classes"
ONE = "relprop epsilon-plus-flat"
MAP = "relprop epsilon-plus-flat, by map"
Method = Callable[[], Tensor | None]
Maker = Callable[[nn.Module, Inputs], Method]


# ---- each method ---------------------------------------------------------------------------------


def forward_only(model: nn.Module, x: Inputs) -> Method:
    """The model, and nothing else."""

    def call() -> None:
        with torch.no_grad():
            run(model, x)

    return call


def channels_last(model: nn.Module, x: Inputs) -> Method:
    """The floor for whoever lays weights and pictures out by hand, as relprop does by itself."""
    assert isinstance(x, Tensor)
    layout = torch.channels_last
    return gradient_times_input(model.to(memory_format=layout), x.clone(memory_format=layout))  # type: ignore[call-overload]


def by_relprop(model: nn.Module, x: Inputs, name: str, batch_size: int | None = None) -> Method:
    """The public call: classify, then explain what was predicted."""
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    return lambda: explainer(x, batch_size=batch_size).relevance


def write_plan(model: nn.Module, x: Inputs, name: str, path: Path) -> None:
    """Read the model, and write what was read."""
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    explainer.save(path)


def by_saved_plan(model: nn.Module, x: Inputs, name: str, path: Path | None) -> Method:
    """The public call, of what was read before; without a path it is read and written here."""
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder) / "written.plans"
            write_plan(model, x, name, path)
        explainer = relprop.Explainer.load(path, model)
    explainer.plan(x)
    return lambda: explainer(x).relevance


def compiled(model: nn.Module, x: Inputs, name: str, batch_size: int | None = None) -> Method:
    """The same as one function of torch.compile's, which compiles at its first call."""
    explainer = relprop.Explainer(model, recipe(name), compile=True)
    explainer(x if batch_size is None else x[:batch_size])
    return lambda: explainer(x, batch_size=batch_size).relevance


def every_class(model: nn.Module, x: Inputs, name: str, batch_size: int | None) -> Method:
    """All classes in one call."""
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    return lambda: explainer(x, "all", batch_size=batch_size).relevance


def by_map(model: nn.Module, x: Inputs, name: str, batch_size: int | None) -> Method:
    """As a data set that a loader gives, sample by sample into batches."""
    assert isinstance(x, Tensor)
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    loader = DataLoader(TensorDataset(x.cpu()), batch_size)
    return lambda: torch.cat([e.relevance for e in explainer.map(loader, progress=False)])


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


def by_autolrp(model: nn.Module, x: Inputs, preset: str = "") -> Method:
    """AutoLRP with a preset or its starting table of rules, on the sum of all samples' scores.

    It seeds with 1, of which each sample gets its share: times the sum, that is its score.
    """
    import autolrp

    module, start = differentiable(model, x)
    table = getattr(autolrp.LRPConfig, preset)() if preset else autolrp.LRPConfig()

    def explain() -> Tensor:
        leaf = autolrp.tensor(start.clone())
        total = module(leaf).amax(1).sum()
        total.lrp(config=table)
        return (leaf.relevance * total).detach().as_subclass(Tensor)

    return explain


# ---- all of a workload ---------------------------------------------------------------------------


def in_parts(make: Maker, size: int) -> Maker:
    """The method on so many samples at a time, for those that take no such number themselves."""

    def made(model: nn.Module, x: Inputs) -> Method:
        calls = [make(model, part) for part in x.split(size)]

        def call() -> Tensor | None:
            found = [call() for call in calls]
            return None if found[0] is None else torch.cat(found)

        return call

    return made


def methods(
    workload: Workload, size: int | None = None, plan: Path | None = None
) -> dict[str, Maker]:
    """How to make each method of a workload, by name: the floor first.

    size  samples at a time, of a workload that is explained in parts
    plan  file of the plan by the first recipe, for the method that reads it
    """
    others: dict[str, Maker] = {FLOOR: gradient_times_input, FORWARD: forward_only}
    others |= {CHANNELS_LAST: channels_last} if workload.convolves else {}
    others |= {name: make for name, make in peers(workload).items() if workload.has(name)}
    if size is not None:
        others = {name: in_parts(make, size) for name, make in others.items()}
    ours = {
        f"relprop {name}": partial(by_relprop, name=name, batch_size=size)
        for name in workload.recipes
    }
    if workload.sizes:
        ours[MAP] = partial(by_map, name="epsilon-plus-flat", batch_size=size)
    else:
        first = workload.recipes[0]
        ours[f"relprop {first}{SAVED}"] = partial(by_saved_plan, name=first, path=plan)
    name = workload.compiled
    ours[f"relprop {name}{COMPILED}"] = partial(compiled, name=name, batch_size=size)
    if workload.all_classes:
        ours[ALL] = partial(every_class, name="epsilon-plus-flat", batch_size=workload.cached)
    bare = {name: others.pop(name) for name in BARE if name in others}
    return bare | ours | others


def peers(workload: Workload) -> dict[str, Maker]:
    """Other libraries, with the recipes that they have in common with relprop."""
    shared = [name for name in workload.recipes if name.startswith("epsilon")]
    made: dict[str, Maker] = {
        f"Zennit {name}": partial(by_zennit, name=name) for name in shared or ["epsilon-plus-flat"]
    }
    made["Captum LRP"] = lambda model, x: partial(by_captum, model, x)
    attention = [name for name in workload.recipes if name in RULES]
    if not attention:
        made["autoLRP"] = by_autolrp
    for name in attention:
        made[f"autoLRP {name}"] = partial(by_autolrp, preset=name.replace("cp-lrp", "cplrp"))
        made[f"LXT {name}"] = partial(by_lxt, name=name)
    return made
