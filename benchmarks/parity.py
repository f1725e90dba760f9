"""Measures how far relprop's maps are from those of Zennit, Captum, autoLRP, LXT and zennit-crp.

    python benchmarks/parity.py [--only "Zennit*"] [--out docs/parity.md] [--json parity.json]
        [--rows other.json] [--crp-python crp/bin/python]

The distance is the relative L2 norm of the difference, for the sample in which it is largest. Both
explain the same class of each sample, starting from its score. Needs the peers: zennit, captum,
autolrp, lxt, transformers, torchvision. `--rows` adds what another run wrote with `--json`, such as
one with another version of a peer.
"""

import gc
import json
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import click
import torch
from parity_cases import ARITHMETIC, NETWORKS, Case, cases
from parity_networks import ModelAndInput
from torch import Tensor

import relprop

LIMITS = {torch.float32: 1e-4, torch.float64: 1e-8}
VERSIONS = ("torch", "torchvision", "transformers")


@dataclass(frozen=True)
class Row:
    """A case with its distances, and why the maps differ, if they do."""

    peer: str
    what: str
    network: str
    recipe: str
    float32: float
    float64: float
    same: bool
    why: str


@lru_cache(maxsize=1)
def network(name: str, dtype: torch.dtype) -> ModelAndInput:
    """Build a network by name, and its input."""
    gc.collect()
    model, x = NETWORKS[name]()
    if x.ndim == 4 and dtype is torch.float32:
        x = x.clone(memory_format=torch.channels_last)
    return model.to(dtype).requires_grad_(False), x.to(dtype)


def distance(got: Tensor, want: Tensor) -> float:
    """Compute the relative L2 distance of two batches of maps, at its largest; NaN if one is."""
    gap = (got - want).flatten(1).norm(dim=1) / want.flatten(1).norm(dim=1)
    return float(gap.max())


def compare(case: Case, dtype: torch.dtype) -> float:
    """Compare relprop's map with the peer's, for the predicted classes."""
    model, x = network(case.network, dtype)
    with torch.no_grad():
        classes = model(x).argmax(1)
    explainer = relprop.Explainer(model, case.recipe(model))
    got = explainer(x, classes, **case.options).relevance
    return distance(got, case.method(model, x, classes))


def recipe_name(case: Case) -> str:
    """Name the recipe: its preset or the rule at every layer, and that of single operations."""
    recipe = case.recipe(network(case.network, torch.float32)[0])
    named = next((row for row in recipe.rows if row.selector.name), None)
    parts = [f"{named.rule} at every layer" if named else recipe.name]
    own = [row for row in recipe.rows if row.required and row.selector.operation]
    return ", ".join(parts + [f"{row.rule} at {row.selector.operation}" for row in own])


def measure(case: Case, known: dict[torch.dtype, float]) -> Row:
    """Build the row of a case."""
    same = all(known[dtype] <= limit for dtype, limit in LIMITS.items())
    gaps = (known[torch.float32], known[torch.float64])
    return Row(
        case.peer, case.what, case.network, recipe_name(case), *gaps, same=same, why=case.why
    )


def measure_all(chosen: list[Case]) -> list[Row]:
    """Measure all rows, one network after another, so that each is built once per dtype."""
    gaps: list[dict[torch.dtype, float]] = [{} for _ in chosen]
    for name in dict.fromkeys(case.network for case in chosen):
        for dtype in LIMITS:
            for case, known in zip(chosen, gaps, strict=True):
                if case.network == name:
                    known[dtype] = compare(case, dtype)
                    line = f"{case.peer}, {case.what}, {name}, {dtype}: {known[dtype]:.1e}"
                    click.echo(line, err=True)
    return [measure(case, known) for case, known in zip(chosen, gaps, strict=True)]


# ---- the page ------------------------------------------------------------------------------------

INTRODUCTION = """# Parity with other libraries

Relative L2 distance between relprop's map and a peer's, for the sample in which it is largest.
Pass: at most 1e-4 in float32 and 1e-8 in float64. Networks have random weights; both libraries
start from the score of the predicted class.

In float32, pictures are in channels-last, the memory format in which relprop convolves them. In
the other one torch's convolutions round differently, and for VGG16 without biases that alone
changes the map of the epsilon rule by 2e-2."""
ALIGNED = """\
Where a peer has another default stabiliser, both libraries have the same one here: the smallest
positive number with Zennit at residual sums, 1e-6 with Captum, 0 with LXT. BatchNorm's eps is 0
unless the network is named with another. Results with each peer's own defaults are below."""
HEAD = (
    "| peer | its rule | network | relprop | float32 | float64 | |\n|---|---|---|---|--:|--:|---|"
)


def table(rows: list[Row]) -> str:
    """Format rows as a table."""
    lines = [
        f"| {row.peer} | {row.what} | {row.network} | {row.recipe} | {row.float32:.1e} "
        f"| {row.float64:.1e} | {'pass' if row.same else 'differs'} |"
        for row in rows
    ]
    return "\n".join([HEAD, *lines])


def sections(rows: list[Row]) -> list[str]:
    """Format each reason, and the rows that have it."""
    parts = []
    for why in dict.fromkeys(row.why for row in rows):
        parts += [why, table([row for row in rows if row.why == why])]
    return parts


def page(rows: list[Row]) -> str:
    """Write the page: where maps are the same, and where not and why."""
    alike = [row for row in rows if not row.why]
    rounded = [row for row in rows if row.why in ARITHMETIC]
    defined = [row for row in rows if row.why and row.why not in ARITHMETIC]
    passed = sum(row.same for row in alike)
    parts = [INTRODUCTION, f"`make parity` writes this page. {versions(rows)}."]
    parts += [f"## The same definitions: {passed} of {len(alike)} pass", ALIGNED, table(alike)]
    parts += ["## Where definitions differ on purpose", *sections(defined)]
    parts += ["## Where only rounding differs", *sections(rounded)]
    return "\n\n".join(parts) + "\n"


def versions(rows: list[Row]) -> str:
    """List the packages that ran the networks, and the peers, with their versions."""
    packages = [f"{name} {version(name)}" for name in VERSIONS]
    return ", ".join([*packages, *dict.fromkeys(row.peer for row in rows)])


def read_rows(file: Path) -> list[Row]:
    """Read the rows that another run wrote."""
    return [Row(**row) for row in json.loads(file.read_text())]


PATH = click.Path(dir_okay=False, path_type=Path)


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", default="*", show_default=True, help='Glob on "PEER: RULE: NETWORK".')
@click.option("--rows", "others", type=PATH, help="What another run wrote with --json.")
@click.option("--crp-python", help="Python of an environment with zennit-crp.")
@click.option("--out", type=PATH)
@click.option("--json", "file", type=PATH)
def main(
    only: str, others: Path | None, crp_python: str | None, out: Path | None, file: Path | None
) -> None:
    """Measure, and write the page and the numbers; print the page if there is no file for it."""
    every = cases(crp_python)
    chosen = [c for c in every if fnmatch(f"{c.peer}: {c.what}: {c.network}", only)]
    if not chosen:
        raise click.UsageError(f"no case matches {only!r}")
    rows = [*(read_rows(others) if others else []), *measure_all(chosen)]
    if out:
        out.write_text(page(rows))
    else:
        click.echo(page(rows))
    if file:
        file.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
