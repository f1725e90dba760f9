"""The methods that the benchmark times: built once for a workload, called again and again.

All explain the class with the highest score, starting from that score. Building relprop's methods
includes capture, plan and, if asked for, compilation; building its peers' includes what they do
beforehand.
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

BASELINE = "gradient x input"
FORWARD = "forward only"
CHANNELS_LAST = "gradient x input, channels last"
BARE = (BASELINE, CHANNELS_LAST, FORWARD)
COMPILED = ", compiled"
SAVED = ", saved plan"
ALL = "relprop epsilon-plus-flat, all 10 classes"
ONE = "relprop epsilon-plus-flat"
MAP = "relprop epsilon-plus-flat, by map"
Method = Callable[[], Tensor | None]
Maker = Callable[[nn.Module, Inputs], Method]


# ---- each method ---------------------------------------------------------------------------------


def forward_only(model: nn.Module, x: Inputs) -> Method:
    """Prepare the model's forward pass."""

    def call() -> None:
        with torch.no_grad():
            run(model, x)

    return call


def channels_last(model: nn.Module, x: Inputs) -> Method:
    """Prepare gradient x input with the memory format changed by hand, as relprop does itself."""
    assert isinstance(x, Tensor)
    layout = torch.channels_last
    return gradient_times_input(model.to(memory_format=layout), x.clone(memory_format=layout))  # type: ignore[call-overload]


def by_relprop(model: nn.Module, x: Inputs, name: str, batch_size: int | None = None) -> Method:
    """Prepare the public call: classify, then explain the predicted class."""
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    return lambda: explainer(x, batch_size=batch_size).relevance


def write_plan(model: nn.Module, x: Inputs, name: str, path: Path) -> None:
    """Capture the model, and write the plan to a file."""
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    explainer.save(path)


def by_saved_plan(model: nn.Module, x: Inputs, name: str, path: Path | None) -> Method:
    """Prepare the public call from a saved plan; without a path it is written here."""
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder) / "written.plans"
            write_plan(model, x, name, path)
        explainer = relprop.Explainer.load(path, model)
    explainer.plan(x)
    return lambda: explainer(x).relevance


def compiled(model: nn.Module, x: Inputs, name: str, batch_size: int | None = None) -> Method:
    """Prepare the same as one function by torch.compile, which compiles at its first call."""
    explainer = relprop.Explainer(model, recipe(name), compile=True)
    explainer(x if batch_size is None else x[:batch_size])
    return lambda: explainer(x, batch_size=batch_size).relevance


def every_class(model: nn.Module, x: Inputs, name: str, batch_size: int | None) -> Method:
    """Prepare the explanation of all classes in one call."""
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    return lambda: explainer(x, "all", batch_size=batch_size).relevance


def by_map(model: nn.Module, x: Inputs, name: str, batch_size: int | None) -> Method:
    """Prepare `Explainer.map` over a DataLoader that collates single samples."""
    assert isinstance(x, Tensor)
    explainer = relprop.Explainer(model, recipe(name))
    explainer.plan(x)
    loader = DataLoader(TensorDataset(x.cpu()), batch_size)
    return lambda: torch.cat([e.relevance for e in explainer.map(loader, progress=False)])


def by_zennit(model: nn.Module, x: Inputs, name: str) -> Method:
    """Prepare Zennit's composite of the same name, registered for each call as documented."""
    from zennit import composites, rules, torchvision, types
    from zennit.attribution import Gradient

    module, leaf = differentiable(model, x)
    merged = [torchvision.ResNetCanonizer()]  # merges norms as the one for VGG does; both clash
    if name == "epsilon":
        pairs = [(types.Activation, rules.Pass()), (types.AvgPool, rules.Norm())]
        pairs.append((types.Linear, rules.Epsilon()))
        composite = composites.LayerMapComposite(pairs, canonizers=merged)
    else:
        options = BOX if name.endswith("-box") else {}
        kind = composites.COMPOSITES[name.replace("-", "_")]
        composite = kind(canonizers=merged, **options)

    def initial_relevance(z: Tensor) -> Tensor:
        return torch.where(z == z.amax(1, keepdim=True), z, 0.0).detach()

    def explain() -> Tensor:
        with Gradient(module, composite) as attributor:
            return attributor(leaf.clone(), initial_relevance)[1].detach()

    return explain


def by_autolrp(model: nn.Module, x: Inputs, preset: str = "") -> Method:
    """Prepare autoLRP with a preset or its default rules, on the sum of all samples' scores.

    It starts from 1, of which each sample gets its share: times the sum, that is its score.
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
    """Split batches for a method that takes no batch size."""

    def build(model: nn.Module, x: Inputs) -> Method:
        calls = [make(model, part) for part in x.split(size)]

        def call() -> Tensor | None:
            maps = [call() for call in calls]
            return None if maps[0] is None else torch.cat(maps)

        return call

    return build


def methods(
    workload: Workload, size: int | None = None, plan: Path | None = None
) -> dict[str, Maker]:
    """Map the name of each method of a workload to its maker, gradient x input first.

    Args:
        workload: The workload.
        size: Samples at a time, for a workload that is explained in parts.
        plan: File with the plan by the first recipe, for the method that loads it.
    """
    others: dict[str, Maker] = {BASELINE: gradient_times_input, FORWARD: forward_only}
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
    """Map names to other libraries' methods, with the recipes that they share with relprop."""
    shared = [name for name in workload.recipes if name.startswith("epsilon")]
    makers: dict[str, Maker] = {
        f"Zennit {name}": partial(by_zennit, name=name) for name in shared or ["epsilon-plus-flat"]
    }
    makers["Captum LRP"] = lambda model, x: partial(by_captum, model, x)
    attention = [name for name in workload.recipes if name in RULES]
    if not attention:
        makers["autoLRP"] = by_autolrp
    for name in attention:
        makers[f"autoLRP {name}"] = partial(by_autolrp, preset=name.replace("cp-lrp", "cplrp"))
        makers[f"LXT {name}"] = partial(by_lxt, name=name)
    return makers
