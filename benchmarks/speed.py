"""How long an explanation takes, in units of gradient x input, beside Zennit.

    python benchmarks/speed.py [--repeats 10] [--only "vgg16*"] [--json speed.json]

Every method explains the same batch in turn, round after round. A method's ratio is its time over
that of gradient x input in the same round, so that a machine which slows down slows both.
"""

import json
import os
import platform
import re
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import click
import torch
from torch import Tensor, nn

import relprop

FLOOR = "gradient x input"
BOX = {"low": -3.0, "high": 3.0}
RECIPES: dict[str, dict[str, float]] = {
    "epsilon": {},
    "epsilon-plus-flat": {},
    "epsilon-gamma-box": BOX,
}
TARGETS = {"relprop epsilon": 1.25, "relprop epsilon-plus-flat": 1.7}

Method = Callable[[Tensor], Tensor]  # x (n, *features) -> relevance, the shape of x


@dataclass(frozen=True)
class Row:
    """One method on one network: seconds of the median round, ratios to the floor, agreement.

    difference  relative L2 distance to Zennit's map of the same recipe; None where there is none
    """

    network: str
    method: str
    seconds: float
    median: float
    lowest: float
    highest: float
    difference: float | None


# ---- networks ------------------------------------------------------------------------------------


def vgg16() -> tuple[nn.Module, Tensor]:
    """VGG16 as published, random weights, and four 224 x 224 pictures."""
    layers: list[nn.Module] = []
    channels = 3
    for width, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.AdaptiveAvgPool2d(7), nn.Flatten()]
    layers += [nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.normal_(layer.bias, std=0.1)
    return nn.Sequential(*layers), torch.randn(4, 3, 224, 224)


def mnist_cnn() -> tuple[nn.Module, Tensor]:
    """The shipped network, and 256 pictures of noise on a dark ground."""
    return relprop.load_model("mnist-cnn"), (2 * torch.rand(256, 1, 28, 28) - 1).clamp(min=0)


NETWORKS = {"vgg16, batch 4": vgg16, "mnist-cnn, batch 256": mnist_cnn}


# ---- methods: each is made once, then timed call by call -----------------------------------------


def gradient_times_input(model: nn.Module) -> Method:
    """One forward pass, one backward pass down to the input and no further: no weight gradients."""

    def explain(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model(x).amax(1).sum(), x)
        return gradient * x.detach()

    return explain


def by_relprop(model: nn.Module, recipe: str) -> Method:
    """The public call: classify, then explain what was predicted."""
    explainer = relprop.Explainer(model, relprop.Recipe.preset(recipe, **RECIPES[recipe]))
    return lambda x: explainer(x).relevance


@cache
def declare_torchvision_operators() -> torch.library.Library | None:
    """Zennit imports torchvision, which when built for CUDA lacks operators beside a CPU torch."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


def by_zennit(model: nn.Module, recipe: str) -> Method:
    """Zennit's composite of the same name, registered once, seeded alike."""
    declare_torchvision_operators()
    from zennit import composites, rules, types
    from zennit.attribution import Gradient

    if recipe == "epsilon":
        pairs = [(types.Activation, rules.Pass()), (types.AvgPool, rules.Norm())]
        composite = composites.LayerMapComposite([*pairs, (types.Linear, rules.Epsilon())])
    else:
        composite = composites.COMPOSITES[recipe.replace("-", "_")](**RECIPES[recipe])

    def seed(z: Tensor) -> Tensor:
        return torch.where(z == z.amax(1, keepdim=True), z, 0.0).detach()

    def explain(x: Tensor) -> Tensor:
        with Gradient(model, composite) as attributor:
            return attributor(x.clone(), seed)[1].detach()

    return explain


METHODS: dict[str, Callable[[nn.Module], Method]] = {
    FLOOR: gradient_times_input,
    **{f"relprop {recipe}": partial(by_relprop, recipe=recipe) for recipe in RECIPES},
    **{f"zennit {recipe}": partial(by_zennit, recipe=recipe) for recipe in RECIPES},
}


# ---- measuring -----------------------------------------------------------------------------------


def rounds(made: dict[str, Method], x: Tensor, repeats: int) -> dict[str, list[float]]:
    """Seconds of every call, after two rounds that are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for count in range(2 + repeats):
        for name, method in made.items():
            start = perf_counter()
            method(x)
            if count >= 2:
                seconds[name].append(perf_counter() - start)
    return seconds


def difference(made: dict[str, Method], name: str, x: Tensor) -> float | None:
    """Relative L2 distance between relprop's map and Zennit's of the same recipe."""
    twin = name.replace("relprop", "zennit")
    if twin == name or twin not in made:
        return None
    want = made[twin](x)
    return float((made[name](x) - want).norm() / want.norm())


def measure(network: str, names: list[str], repeats: int) -> list[Row]:
    """A row for each of these methods."""
    torch.manual_seed(0)
    model, x = NETWORKS[network]()
    model.eval().requires_grad_(False)
    made = {name: METHODS[name](model) for name in names}
    seconds = rounds(made, x, repeats)
    rows = []
    for name, times in seconds.items():
        ratios = [t / floor for t, floor in zip(times, seconds[FLOOR], strict=True)]
        spread = (statistics.median(ratios), min(ratios), max(ratios))
        rows.append(
            Row(network, name, statistics.median(times), *spread, difference(made, name, x))
        )
    return rows


def processor() -> str:
    """The processor's name, as exactly as the system tells it."""
    info = Path("/proc/cpuinfo")
    names = re.findall("model name.*: (.*)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor()


def machine() -> dict[str, object]:
    """What the figures depend on beside the code."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "zennit")},
        "relprop": relprop.__version__,
    }


def table(rows: list[Row]) -> str:
    """The rows as aligned text, one block for each network."""
    lines = []
    for network in dict.fromkeys(row.network for row in rows):
        lines.append(
            f"\n{network:26}{'seconds':>10}{'ratio':>8}{'lowest':>8}{'highest':>9}  target"
        )
        for row in (row for row in rows if row.network == network):
            line = f"  {row.method:24}{row.seconds:10.4f}{row.median:8.2f}{row.lowest:8.2f}"
            line += f"{row.highest:9.2f}  "
            if row.method in TARGETS:
                met = "met" if row.median <= TARGETS[row.method] else "missed"
                line += f"{TARGETS[row.method]} {met}"
            if row.difference is not None:
                line = f"{line:76}differs from Zennit by {row.difference:.1e}"
            lines.append(line.rstrip())
    return "\n".join(lines)


@click.command(help=__doc__.split("\n")[0])
@click.option("--repeats", default=10, show_default=True, type=click.IntRange(1))
@click.option("--only", default="*", show_default=True, help='Glob on "NETWORK: METHOD".')
@click.option("--threads", type=click.IntRange(1), help="Threads of torch; its own choice if left.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(repeats: int, only: str, threads: int | None, file: Path | None) -> None:
    """Measure, print the table, write the numbers."""
    if threads:
        torch.set_num_threads(threads)
    facts = machine()
    click.echo(", ".join(f"{name} {value}" for name, value in facts.items()))
    rows: list[Row] = []
    for network in NETWORKS:
        names = [name for name in METHODS if fnmatch(f"{network}: {name}", only)]
        if names:
            rows += measure(network, [FLOOR, *(name for name in names if name != FLOOR)], repeats)
    click.echo(table(rows))
    if file:
        record = {"machine": facts, "rows": [asdict(row) for row in rows]}
        file.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
