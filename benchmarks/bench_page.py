"""The report of the benchmark: a record for each method and workload, and the page.

Takes what was measured. Gives Markdown. Must not know how it was measured.
"""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from methods import ALL, CHANNELS_LAST, COMPILED, FORWARD, SAVED
from versions import installed
from workloads import CACHED, WORKLOADS, Workload

PACKAGES = (
    *("relprop", "torch", "torchvision", "transformers"),
    *("zennit", "captum", "autolrp", "lxt"),
)
SAME_MAP = 1e-2  # of a map's norm: equal rules differ by rounding, and by stabilisers of peers

SUMMARY = """\
Time and peak memory are in units of gradient x input; the first call is in seconds. A **target** is
what this project means to stay below. A peer's map is the same if it is within 1% of relprop's by
that recipe."""

ON = {"cpu": "On a CPU", "cuda": "On a GPU"}

LEGEND = f"""\
- **ratio**: time in units of gradient x input (one forward pass, and one backward pass to the input
  with frozen parameters): the median over the rounds, with the lowest and the highest. All methods
  explain the same batch in turn, in a new random order each round, after warm-up calls.
- **memory**: by how much the peak of a fresh process's resident memory exceeds what it holds with
  libraries, model and batch, in units of the same for gradient x input. Caches that live from call
  to call, such as derived weights, count; freed memory does not (glibc's malloc is set to return
  it). A method that explains samples in parts is compared with gradient x input in parts of the
  same size. Empty where the amounts are too small. On a GPU: the peak of torch's allocated memory
  over what was allocated before the method was built; for compiled methods the memory that stays
  reserved for them, which is where they compute.
- **tensors**: the peak bytes of the tensors that one call creates, in the same units. Caches from
  earlier calls do not count. Unknown for compiled functions.
- **ready**: seconds until a method can be called. relprop captures the model and plans, in a fresh
  process in which the modules that torch imports for this are loaded; compiled, it also compiles,
  which is faster for a network that was compiled in an earlier table. Rounds start after that.
- **differs**: relative L2 distance over the batch to relprop's map by the recipe that is named: the
  same recipe, uncompiled, or if there is none, the recipe with the nearest map.
- **{CHANNELS_LAST}**: the same with weights and pictures converted by hand to the
  memory format in which torch's convolutions are faster on CPUs. relprop converts by itself: its
  own rows start from the default format.
- **{FORWARD}**: the model's forward pass. A method that needs a forward pass and a backward pass of
  the same cost cannot be faster than gradient x input, unless it skips what the output does not
  need: for classifiers that read one token, relprop computes the last layer for that token only,
  and for the others only keys and values; gradient x input computes all of them.
- **compiled**: with `compile=True`, which on a GPU also records a CUDA graph.
- **saved plan**: the captured graph and the recipe are loaded from a file that another process
  wrote. This process has not run torch.export, which leaves some 20 MB behind.
- **bfloat16**: all methods under autocast.
- **all 10 classes**: in one call; convolutional nets on a CPU with `batch_size={CACHED}`, so that
  activations fit into its cache.
- **by map**: by `explainer.map`, from a DataLoader that collates single samples.
- A number in brackets is the number of samples explained at a time: the fastest of the sizes tried,
  or a smaller one that takes at most 5 % longer."""


@dataclass(frozen=True)
class Row:
    """One method on one workload.

    Attributes:
        workload: Name of the workload.
        method: Name of the method.
        seconds: Time of the median round.
        ratio: Median time in units of gradient x input; with `lowest` and `highest` of `rounds`.
        size: Samples explained at a time; None if all.
        ones: Time in units of that for one class.
        memory: Peak of resident memory, in units of gradient x input.
        tensors: Peak of tensors, in units of gradient x input.
        first: Seconds until it can be called.
        recipe: The recipe of relprop with which its map is compared.
        differs: Relative L2 distance to that map.
        problem: Why there are no numbers, in a line.
    """

    workload: str
    method: str
    seconds: float | None = None
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    rounds: int = 0
    size: int | None = None
    ones: float | None = None
    memory: float | None = None
    tensors: float | None = None
    first: float | None = None
    recipe: str = ""
    differs: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Run:
    """All that was measured on one device.

    Attributes:
        machine: Device, processor, system and versions.
        settings: Rounds, seconds and threads.
        rows: One for each method and workload.
        note: What else a reader must know of this run; written into the JSON file by hand.
    """

    machine: Mapping[str, object]
    settings: Mapping[str, object]
    rows: Sequence[Row]
    note: str = ""


# ---- what the numbers depend on ------------------------------------------------------------------


def machine(device: str) -> dict[str, object]:
    """Describe the device, the processor, the system and versions."""
    card = dict[str, object]()
    if device == "cuda":
        card = {"card": torch.cuda.get_device_name(), "CUDA": torch.version.cuda}
    return {
        **card,
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        **installed(PACKAGES),
    }


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    names = re.findall("model name.*: (.*)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor()


# ---- the page ------------------------------------------------------------------------------------


def page(runs: Mapping[str, Run]) -> str:
    """Write the report in Markdown, from one run per kind of device."""
    blocks = ["# Benchmarks", "`make bench` writes this page.", SUMMARY]
    for device, run in runs.items():
        about = ", ".join(f"{name} {value}" for name, value in run.machine.items())
        blocks += [f"## {ON[device]}", f"{about[0].upper()}{about[1:]}."]
        blocks += [run.note] if run.note else []
        blocks.append(summary(run.rows, device))
    blocks += ["## Each method", LEGEND]
    for device, run in runs.items():
        for name in dict.fromkeys(row.workload for row in run.rows):
            mine = [row for row in run.rows if row.workload == name]
            count = max(row.rounds for row in mine)
            blocks += [f"### {ON[device]}: {name}", f"Rounds: {count}.", table(mine)]
    return "\n\n".join(blocks) + "\n"


def table(rows: Sequence[Row]) -> str:
    """Format all methods of a workload."""
    head = (
        "| method | milliseconds | ratio | lowest | highest | memory | tensors | ready | differs |"
    )
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|--:|--:|---|", *(line(row) for row in rows)])


def line(row: Row) -> str:
    """Format a row of the table."""
    if row.ratio is None:
        return f"| {row.method} | {plain(row.problem)} | | | | | | | |"
    size = "" if row.size is None else f" ({row.size})"
    differs = "" if row.differs is None else f"{row.recipe} {row.differs:.1e}"
    times = f"{1000 * row.seconds:.2f} | {row.ratio:.2f} | {row.lowest:.2f} | {row.highest:.2f}"
    shares = f"{number(row.memory)} | {number(row.tensors)} | {number(row.first, 1)}"
    return f"| {row.method}{size} | {times} | {shares} | {differs} |"


def plain(text: str) -> str:
    """Escape what would end a table's cell, or open an HTML element."""
    return text.replace("|", "/").replace("<", "&lt;")


def number(value: float | None, digits: int = 2) -> str:
    """Format a number; nothing for None."""
    return "" if value is None else f"{value:.{digits}f}"


# ---- the summary ---------------------------------------------------------------------------------


def summary(rows: Sequence[Row], device: str) -> str:
    """Format what was measured beside its targets, recipe by recipe."""
    head = (
        "| workload | recipe | milliseconds | time | target | memory | target | tensors |"
        " first call | target | compiled | fastest peer with the same map |\n"
        "|---|---|--:|--:|---|--:|---|--:|--:|---|--:|---|"
    )
    lines = [head]
    for workload in (one.on(device) for one in WORKLOADS):
        mine = {row.method: row for row in rows if row.workload == workload.name}
        saved = [name + SAVED for name in workload.recipes if f"relprop {name}{SAVED}" in mine]
        lines += [recipe_line(workload, name, mine) for name in (*workload.recipes, *saved) if mine]
        if (every := mine.get(ALL)) and every.ones:
            measured = (
                f"{every.ones:.2f} times one class | {target(every.ones, workload.all_classes)}"
            )
            time = 1000 * every.seconds
            lines.append(
                f"| {workload.name} | all 10 classes | {time:.2f} | {measured} |{' |' * 7}"
            )
    return "\n".join(lines)


def recipe_line(workload: Workload, name: str, rows: Mapping[str, Row]) -> str:
    """Format one recipe on one workload; or the same with a saved plan."""
    row = rows[f"relprop {name}"]
    if row.ratio is None:
        return f"| {workload.name} | {name} | {plain(row.problem)} |{' |' * 9}"
    compiled = rows.get(f"relprop {name}{COMPILED}")
    cells = [
        *(workload.name, name, f"{1000 * row.seconds:.2f}"),
        f"{row.ratio:.2f} ({row.lowest:.2f}-{row.highest:.2f})",
        *(target(row.ratio, workload.targets.get(name)), number(row.memory)),
        *(target(row.memory, workload.memory), number(row.tensors), number(row.first, 1)),
        *(target(row.first, workload.first), number(compiled.ratio) if compiled else ""),
        "" if name.endswith(SAVED) else fastest_peer(name, rows),
    ]
    return f"| {' | '.join(cells)} |"


def target(measured: float | None, most: float | None) -> str:
    """Format a target, and whether it is met."""
    if measured is None or most is None:
        return number(most)
    return f"{most:.2f} {'met' if measured <= most else '**missed**'}"


def fastest_peer(name: str, rows: Mapping[str, Row]) -> str:
    """Format the fastest of the peers whose map is that of the recipe."""
    equal = [
        (row.ratio, row.method)
        for row in rows.values()
        if row.method.startswith(("Zennit", "Captum", "autoLRP", "LXT"))
        and row.ratio is not None
        and row.differs is not None
        and (row.recipe, row.differs <= SAME_MAP) == (name, True)
    ]
    return "{1} {0:.2f}".format(*min(equal)) if equal else "none"
