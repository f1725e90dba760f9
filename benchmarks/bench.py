"""Measures what an explanation costs in units of gradient x input, beside other libraries.

    python benchmarks/bench.py [--rounds 200] [--only "VGG16*"] [--device cuda] [--out FILE]

All methods explain the same batch in turn, round after round. A method's ratio is its time divided
by that of gradient x input in the same round, so that a machine that slows down slows both. Results
in the file of `--json` for the other kind of device are kept, and the page shows both.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from fnmatch import fnmatch
from pathlib import Path

import click
import torch
from bench_page import Row, Run, line, machine, page
from methods import ALL, BASELINE, COMPILED, ONE, methods
from timing import FEWEST, PreparedMethod, Settings, prepare_methods, rounds
from torch import Tensor
from workloads import DEVICES, WORKLOADS, Workload

FRESH = Path(__file__).with_name("fresh.py")
LEAST = 2**24  # bytes: below, a process's memory says nothing of one explanation


# ---- comparing -----------------------------------------------------------------------------------


def compared(name: str, maps: Mapping[str, Tensor | None]) -> tuple[str, float] | None:
    """Find the recipe to compare a map with, and the relative L2 distance to relprop's map.

    The recipe is the one that the method is named after, or else the one with the nearest map. None
    for methods without a map, and for the maps of the recipes themselves.
    """
    ours = {recipe_of(key): own for key, own in maps.items() if recipe_of(key)}
    got = maps[name]
    if got is None or name == ALL or recipe_of(name):
        return None
    named = [key for key in ours if key in name.split(",")[0].split()]
    far = {key: distance(got, want) for key, want in ours.items() if key in (named or ours)}
    return min(far.items(), key=lambda pair: pair[1]) if far else None


def recipe_of(name: str) -> str:
    """Return the recipe of a plain row of relprop's, else ""."""
    plain = name.startswith("relprop ") and "," not in name
    return name.removeprefix("relprop ") if plain else ""


def distance(got: Tensor, want: Tensor) -> float:
    """Compute the relative L2 distance; relevance per feature is summed if one is per token."""
    if got.ndim > want.ndim:
        got = got.flatten(want.ndim).sum(-1)
    relative = float((got - want).norm() / want.norm())
    return float("inf") if math.isnan(relative) else relative


def ratios(times: Mapping[str, list[float]], name: str, base: str) -> list[float]:
    """Divide two methods' times, round by round."""
    return [a / b for a, b in zip(times[name], times[base], strict=True)]


def fresh(workload: Workload, name: str, size: int | None, threads: int) -> dict[str, float | None]:
    """Measure memory and the first call, each in a process of its own."""
    needed = in_process(workload, name, size, threads, {"MALLOC_MMAP_THRESHOLD_": str(2**17)})
    if not needed or not name.startswith("relprop") or name.endswith(COMPILED):
        return needed
    return needed | {"first": in_process(workload, name, size, threads, {}).get("first")}


def in_process(
    workload: Workload, name: str, size: int | None, threads: int, surroundings: dict[str, str]
) -> dict[str, float | None]:
    """Run `fresh.py`; return nothing if it fails, since the method ran here."""
    command = [sys.executable, str(FRESH), workload.name, name, str(threads), str(size or 0)]
    where = os.environ | surroundings
    done = subprocess.run(command, capture_output=True, text=True, env=where)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}


# ---- rows ----------------------------------------------------------------------------------------


def measure(workload: Workload, settings: Settings) -> list[Row]:
    """Measure a row for each method."""
    prepared, problems = prepare_methods(workload, settings)
    times, maps = rounds(prepared, settings)
    rows = {name: Row(workload.name, name, problem=why) for name, why in problems.items()}
    rows |= {name: timed(workload, name, prepared, times, maps) for name in times}
    prepared, maps = {}, {}  # free memory for other processes
    if not settings.quick and settings.device == "cpu":
        rows = with_memory(workload, rows, settings)
    return [rows[name] for name in methods(workload) if name in rows]


def timed(
    workload: Workload,
    name: str,
    prepared: Mapping[str, PreparedMethod],
    times: Mapping[str, list[float]],
    maps: Mapping[str, Tensor | None],
) -> Row:
    """Build the row of a method that ran."""
    by_round, method = ratios(times, name, BASELINE), prepared[name]
    recipe, differs = compared(name, maps) or ("", None)
    own = method.memory is not None and name.startswith("relprop")
    return Row(
        *(workload.name, name, statistics.median(times[name])),
        *(statistics.median(by_round), min(by_round), max(by_round), len(by_round)),
        size=method.size,
        ones=statistics.median(ratios(times, name, ONE)) if name == ALL and ONE in times else None,
        memory=share(method.memory, prepared[BASELINE].memory),
        tensors=share(method.tensors, prepared[BASELINE].tensors),
        first=method.first if own or name.endswith(COMPILED) else None,
        recipe=recipe,
        differs=differs,
    )


def share(got: float | None, base: float | None) -> float | None:
    """Divide by what gradient x input needs, if both are known."""
    return got / base if got is not None and base else None


def with_memory(workload: Workload, rows: Mapping[str, Row], settings: Settings) -> dict[str, Row]:
    """Add what fresh processes need, in units of gradient x input in parts of the same size.

    Compiled methods keep the seconds that they took here, where they were compiled first.
    """
    sizes = {name: row.size for name, row in rows.items() if not row.problem}
    needed = {name: fresh(workload, name, size, settings.threads) for name, size in sizes.items()}
    baselines = {
        size: needed[BASELINE]
        if size == sizes[BASELINE]
        else fresh(workload, BASELINE, size, settings.threads)
        for size in set(sizes.values())
    }
    return dict(rows) | {
        name: replace(
            rows[name],
            memory=share(needed[name].get("resident"), of_processes(baselines[size])),
            tensors=share(needed[name].get("tensors"), baselines[size].get("tensors")),
            first=rows[name].first
            or (needed[name].get("first") if name.startswith("relprop") else None),
        )
        for name, size in sizes.items()
    }


def of_processes(baseline: Mapping[str, float | None]) -> float | None:
    """Return by how much gradient x input's process grew; None if it is too little to tell."""
    resident = baseline.get("resident") or 0
    return resident if resident >= LEAST else None


# ---- the command ---------------------------------------------------------------------------------


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the command."""
    file = click.Path(dir_okay=False, path_type=Path)
    for option in reversed(
        [
            click.option("--rounds", default=200, show_default=True, type=click.IntRange(1)),
            click.option(
                *("--seconds", "budget"),
                default=60.0,
                show_default=True,
                help=f"No more rounds of a workload after so long, but {FEWEST} at least.",
            ),
            click.option("--only", default="*", show_default=True, help="Glob on workloads."),
            click.option("--device", default="cpu", type=click.Choice(DEVICES), show_default=True),
            click.option("--threads", default=0, help="Threads of torch; its own choice if left."),
            click.option("--compiled", is_flag=True, help="Compile also where it takes minutes."),
            click.option("--quick", is_flag=True, help="Neither memory nor compiled methods."),
            click.option("--out", type=file, help="Markdown file."),
            click.option("--json", "record", type=file),
        ]
    ):
        command = option(command)
    return command


@click.command(help=__doc__.split("\n")[0])
@options
def main(
    rounds: int,
    budget: float,
    only: str,
    device: str,
    threads: int,
    compiled: bool,
    quick: bool,
    out: Path | None,
    record: Path | None,
) -> None:
    """Measure, print the tables, write the files."""
    if threads:
        torch.set_num_threads(threads)
    settings = Settings(rounds, budget, threads, quick, compiled, device)
    chosen = [one for one in WORKLOADS if fnmatch(one.name, only) and device in one.devices]
    with tempfile.TemporaryDirectory() as cache, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache  # do not reuse what another run compiled
        run([one.on(device) for one in chosen], settings, out, record)


def run(chosen: list[Workload], settings: Settings, out: Path | None, record: Path | None) -> None:
    """Run one workload after another, and write what is known so far after each."""
    others = other_runs(record, settings.device) if record else {}
    facts, rows = machine(settings.device), list[Row]()
    for workload in chosen:
        new = measure(workload, settings)
        rows += new
        click.echo("\n".join([workload.name, *(line(row) for row in new)]))
        runs = others | {settings.device: Run(facts, asdict(settings), rows)}
        runs = {device: runs[device] for device in DEVICES if device in runs}
        if out:
            out.write_text(page(runs))
        if record:
            content = {device: asdict(one) for device, one in runs.items()}
            record.write_text(json.dumps(content, indent=2) + "\n")


def other_runs(record: Path, device: str) -> dict[str, Run]:
    """Read the runs on other kinds of devices from a file."""
    known = json.loads(record.read_text()) if record.exists() else {}
    return {
        kind: Run(**{**run, "rows": [Row(**row) for row in run["rows"]]})
        for kind, run in known.items()
        if kind != device
    }


if __name__ == "__main__":
    main()
