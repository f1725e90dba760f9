"""What an explanation costs, in units of gradient x input, beside other libraries.

    python benchmarks/bench.py [--rounds 9] [--only "VGG16*"] [--out FILE] [--json FILE]

All methods explain the same batch in turn, round after round. A method's ratio is its time over
that of gradient x input in the same round, so that a machine which slows down slows both.
"""

import copy
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import click
import torch
from methods import FLOOR, FORWARD, Method, methods
from tqdm import tqdm
from workloads import WORKLOADS, Workload

PEAK = Path(__file__).with_name("peak.py")
PACKAGES = ("relprop", "torch", "torchvision", "transformers", "zennit", "captum", "autolrp")
LEAST = 2**24  # bytes: below, a process's memory says nothing of one explanation

LEGEND = f"""\
- **ratio**: time in units of gradient x input (one forward pass, and one backward pass to the input
  alone: parameters are frozen), median of the rounds, with the lowest and the highest. All methods
  explain the same batch in turn, round after round; each is called twice before anything counts.
- **peak memory**: how much the resident memory of a fresh process rises over what it holds with
  model and batch made, in units of what it rises for gradient x input.
- **differs**: relative L2 distance to Zennit's map of the same recipe, over the batch.
- **limit**: what the ratio is meant to stay below.
- **{FORWARD}**: the model without anything else. A method that needs a forward pass and a backward
  pass of the same cost cannot take less than gradient x input does."""


@dataclass(frozen=True)
class Row:
    """One method on one workload.

    seconds   of the median round                   ratio, lowest, highest   to the floor
    memory    peak, in units of the floor's         limit    of the ratio, None if there is none
    differs   from Zennit's map of the same recipe, None where there is none
    problem   why there are no figures, in a line
    """

    workload: str
    method: str
    seconds: float | None = None
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    memory: float | None = None
    limit: float | None = None
    differs: float | None = None
    problem: str = ""


# ---- measuring -----------------------------------------------------------------------------------


def made(workload: Workload) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods that run, after two calls of each, and why the others do not."""
    model, x = workload.build()
    running: dict[str, Method] = {}
    problems: dict[str, str] = {}
    for name, make in methods(workload).items():
        try:
            method = make(model if name == FLOOR else copy.deepcopy(model), x)
            method()
            method()
            running[name] = method
        except ModuleNotFoundError as error:
            problems[name] = f"not installed: {error.name}"
        except Exception as error:
            problems[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"[:90]
    return running, problems


def rounds(running: Mapping[str, Method], count: int) -> dict[str, list[float]]:
    """Seconds of every call, a round for each place in the lists."""
    seconds: dict[str, list[float]] = {name: [] for name in running}
    for _ in tqdm(range(count), leave=False, disable=None):
        for name, method in running.items():
            gc.collect()
            start = perf_counter()
            method()
            seconds[name].append(perf_counter() - start)
    return seconds


def difference(running: Mapping[str, Method], name: str) -> float | None:
    """Relative L2 distance to Zennit's map of the same recipe."""
    twin = name.replace("relprop", "Zennit")
    if twin == name or twin not in running:
        return None
    got, want = running[name](), running[twin]()
    assert got is not None
    assert want is not None
    return float((got - want).norm() / want.norm())


def peak(workload: Workload, name: str, threads: int | None) -> int | None:
    """Bytes by which the memory of a fresh process rises for one explanation."""
    command = [sys.executable, str(PEAK), workload.name, name, str(threads or 0)]
    done = subprocess.run(command, capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else None


def measure(workload: Workload, count: int, threads: int | None) -> list[Row]:
    """A row for each method."""
    running, problems = made(workload)
    seconds = rounds(running, count)
    differs = {name: difference(running, name) for name in running}
    del running
    floor = peak(workload, FLOOR, threads)
    floor = floor if floor and floor >= LEAST else None
    rows = [Row(workload.name, name, problem=why) for name, why in problems.items()]
    for name, times in seconds.items():
        ratios = [t / base for t, base in zip(times, seconds[FLOOR], strict=True)]
        found = peak(workload, name, threads) if name != FLOOR else floor
        rows.append(
            Row(
                *(workload.name, name, statistics.median(times)),
                *(statistics.median(ratios), min(ratios), max(ratios)),
                memory=found / floor if found is not None and floor else None,
                limit=workload.limits.get(name.removeprefix("relprop ")),
                differs=differs[name],
            )
        )
    order = list(methods(workload))
    return sorted(rows, key=lambda row: order.index(row.method))


# ---- writing -------------------------------------------------------------------------------------


def machine(count: int) -> dict[str, object]:
    """What the figures depend on beside the code."""
    facts: dict[str, object] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "rounds": count,
        "system": platform.system(),
        "python": platform.python_version(),
    }
    for name in PACKAGES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "not installed"
    return facts


def processor() -> str:
    """The processor's name, as exactly as the system tells it."""
    info = Path("/proc/cpuinfo")
    names = re.findall("model name.*: (.*)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor()


def page(rows: list[Row], facts: Mapping[str, object]) -> str:
    """The report in Markdown."""
    about = ", ".join(f"{name} {value}" for name, value in facts.items())
    blocks = [f"# Benchmarks\n\n`make bench` writes this page. {about}.\n\n{LEGEND}"]
    for workload in dict.fromkeys(row.workload for row in rows):
        head = "| method | seconds | ratio | lowest | highest | limit | peak memory | differs |"
        lines = [f"## {workload}", "", head, "|---|--:|--:|--:|--:|---|--:|--:|"]
        lines += [_line(row) for row in rows if row.workload == workload]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _line(row: Row) -> str:
    if row.ratio is None:
        return f"| {row.method} | {row.problem.replace('|', '/')} | | | | | | |"
    limit = ""
    if row.limit is not None:
        limit = f"{row.limit:.2f} {'met' if row.ratio <= row.limit else 'missed'}"
    memory = "" if row.memory is None else f"{row.memory:.2f}"
    differs = "" if row.differs is None else f"{row.differs:.1e}"
    numbers = f"{row.seconds:.4f} | {row.ratio:.2f} | {row.lowest:.2f} | {row.highest:.2f}"
    return f"| {row.method} | {numbers} | {limit} | {memory} | {differs} |"


@click.command(help=__doc__.split("\n")[0])
@click.option("--rounds", "count", default=9, show_default=True, type=click.IntRange(1))
@click.option("--only", default="*", show_default=True, help="Glob on names of workloads.")
@click.option("--threads", type=click.IntRange(1), help="Threads of torch; its own choice if left.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Markdown file.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(count: int, only: str, threads: int | None, out: Path | None, file: Path | None) -> None:
    """Measure, print the tables, write the files."""
    if threads:
        torch.set_num_threads(threads)
    facts, rows = machine(count), list[Row]()
    for workload in WORKLOADS:
        if fnmatch(workload.name, only):
            found = measure(workload, count, threads)
            rows += found
            click.echo("\n".join([workload.name, *(_line(row) for row in found)]))
            write(rows, facts, out, file)


def write(
    rows: list[Row], facts: Mapping[str, object], out: Path | None, file: Path | None
) -> None:
    """What is known so far, as a page and as numbers."""
    if out:
        out.write_text(page(rows, facts))
    if file:
        record = {"machine": facts, "rows": [asdict(row) for row in rows]}
        file.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
