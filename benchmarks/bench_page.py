"""The report of the benchmark: records of methods on workloads, and the page made of them."""

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
RIGHT = 1e-2  # of a map's norm: rules that agree differ by rounding, and by stabilisers of peers

SUMMARY = """\
Times are in units of gradient x input, peaks of memory too; the first call is in seconds. A peer is
right if its map is within 1% of relprop's of that recipe."""

ON = {"cpu": "On a CPU", "cuda": "On a GPU"}

LEGEND = f"""\
- **ratio**: time in units of gradient x input (one forward pass, and one backward pass to the input
  alone: parameters are frozen), median of the rounds, with the lowest and the highest. All methods
  explain the same batch in turn, round after round, each in an order of its own, and are called
  before anything counts.
- **memory**: how much the resident memory of a fresh process rises over what it holds with
  libraries, model and batch, in units of what it rises for gradient x input. What a method keeps
  from call to call, such as weights that a rule derives, counts; what it freed does not (glibc's
  malloc is told to give it back). Of samples that are explained in parts, gradient x input has as
  many at a time for this as the method. Empty where all is too small. On a GPU: how much the most
  that torch holds on it rises over what it held before a method was made; of what is compiled, all
  that stays reserved for it, which is where it computes.
- **tensors**: the most bytes of tensors that one call makes and holds at once, in the same units.
  What is kept from an earlier call does not count. Torch cannot tell it of compiled functions.
- **ready**: seconds until a method can be called: for relprop, to capture the model and plan, in a
  fresh process that has imported what torch imports for it; if compiled, to compile as well, which
  for a network that was compiled in an earlier table takes less. Rounds come after that.
- **differs**: relative L2 distance over the batch to relprop's map of the recipe that is named: the
  same recipe, uncompiled, or where there is none the one whose map is nearest.
- **{CHANNELS_LAST}**: the floor for whoever lays weights and pictures out by hand for torch's
  convolutions on CPUs to be faster. relprop does so by itself: its own rows are of the default.
- **{FORWARD}**: the model without anything else. A method that needs a forward pass and a backward
  pass of the same cost cannot take less than gradient x input does, unless it leaves out what the
  output does not need: where a head reads one token, relprop computes the last layer's other tokens
  as keys and values alone, and gradient x input all of them.
- **compiled**: with `compile=True`, which on a GPU also records what is launched as a CUDA graph.
- **saved plan**: what was read of the model, and the recipe, come from a file that another process
  wrote. What torch.export leaves in a process that reads a model, some 20 MB, is not there.
- **bfloat16**: all methods under autocast.
- **all 10 classes**: in one call, on a CPU of convolutional nets with `batch_size={CACHED}`: values
  that fit into its cache take less time.
- **by map**: by `explainer.map`, from a loader that puts batches together sample by sample.
- A number in brackets is that of the samples explained at a time: of the sizes tried the best, or
  a smaller one that takes at most 5 % longer."""


@dataclass(frozen=True)
class Row:
    """One method on one workload.

    seconds   of the median round               ratio, lowest, highest   to the floor, of `rounds`
    size      samples at a time, None if all    ones      ratio to the time of one class
    memory    resident peak, and tensors: peak of tensors, in units of the floor's
    first     seconds until it can be called
    recipe    of relprop's with which its map is compared, and how it differs
    problem   why there are no figures, in a line
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
    """All that was measured on one device: on which machine, how, and what was found.

    note  what a reader must know of this run beside; written into the JSON file by hand
    """

    machine: Mapping[str, object]
    settings: Mapping[str, object]
    rows: Sequence[Row]
    note: str = ""


# ---- what the figures depend on ------------------------------------------------------------------


def machine(device: str) -> dict[str, object]:
    """Device, processor, system and versions."""
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
    """The processor's name, as exactly as the system tells it."""
    info = Path("/proc/cpuinfo")
    names = re.findall("model name.*: (.*)", info.read_text()) if info.exists() else []
    return names[0] if names else platform.processor()


# ---- the page ------------------------------------------------------------------------------------


def page(runs: Mapping[str, Run]) -> str:
    """The report in Markdown, of a run on each kind of device."""
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
    """All methods of a workload."""
    head = (
        "| method | milliseconds | ratio | lowest | highest | memory | tensors | ready | differs |"
    )
    return "\n".join([head, "|---|--:|--:|--:|--:|--:|--:|--:|---|", *(line(row) for row in rows)])


def line(row: Row) -> str:
    """A row of the table."""
    if row.ratio is None:
        return f"| {row.method} | {plain(row.problem)} | | | | | | | |"
    size = "" if row.size is None else f" ({row.size})"
    differs = "" if row.differs is None else f"{row.recipe} {row.differs:.1e}"
    times = f"{1000 * row.seconds:.2f} | {row.ratio:.2f} | {row.lowest:.2f} | {row.highest:.2f}"
    shares = f"{number(row.memory)} | {number(row.tensors)} | {number(row.first, 1)}"
    return f"| {row.method}{size} | {times} | {shares} | {differs} |"


def plain(text: str) -> str:
    """Text that does not end a cell of a table, nor open an HTML element."""
    return text.replace("|", "/").replace("<", "&lt;")


def number(value: float | None, digits: int = 2) -> str:
    """Nothing for None."""
    return "" if value is None else f"{value:.{digits}f}"


# ---- the summary ---------------------------------------------------------------------------------


def summary(rows: Sequence[Row], device: str) -> str:
    """What was measured beside what it is meant to stay below, recipe by recipe."""
    head = (
        "| workload | recipe | milliseconds | time | limit | memory | limit | tensors |"
        " first call | limit | compiled | fastest right peer |\n"
        "|---|---|--:|--:|---|--:|---|--:|--:|---|--:|---|"
    )
    lines = [head]
    for workload in (one.on(device) for one in WORKLOADS):
        mine = {row.method: row for row in rows if row.workload == workload.name}
        saved = [name + SAVED for name in workload.recipes if f"relprop {name}{SAVED}" in mine]
        lines += [recipe_line(workload, name, mine) for name in (*workload.recipes, *saved) if mine]
        if (every := mine.get(ALL)) and every.ones:
            measured = (
                f"{every.ones:.2f} times one class | {verdict(every.ones, workload.all_classes)}"
            )
            time = 1000 * every.seconds
            lines.append(
                f"| {workload.name} | all 10 classes | {time:.2f} | {measured} |{' |' * 7}"
            )
    return "\n".join(lines)


def recipe_line(workload: Workload, name: str, rows: Mapping[str, Row]) -> str:
    """One recipe on one workload; or with its plan from a file, which takes the same time."""
    row = rows[f"relprop {name}"]
    if row.ratio is None:
        return f"| {workload.name} | {name} | {plain(row.problem)} |{' |' * 9}"
    compiled = rows.get(f"relprop {name}{COMPILED}")
    cells = [
        *(workload.name, name, f"{1000 * row.seconds:.2f}"),
        f"{row.ratio:.2f} ({row.lowest:.2f}-{row.highest:.2f})",
        *(verdict(row.ratio, workload.limits.get(name)), number(row.memory)),
        *(verdict(row.memory, workload.memory), number(row.tensors), number(row.first, 1)),
        *(verdict(row.first, workload.first), number(compiled.ratio) if compiled else ""),
        "" if name.endswith(SAVED) else fastest_right(name, rows),
    ]
    return f"| {' | '.join(cells)} |"


def verdict(measured: float | None, limit: float | None) -> str:
    """The limit, and whether it is met."""
    if measured is None or limit is None:
        return number(limit)
    return f"{limit:.2f} {'met' if measured <= limit else '**missed**'}"


def fastest_right(name: str, rows: Mapping[str, Row]) -> str:
    """Of the peers whose map is that of the recipe, the one that takes least time."""
    right = [
        (row.ratio, row.method)
        for row in rows.values()
        if row.method.startswith(("Zennit", "Captum", "autoLRP", "LXT"))
        and row.ratio is not None
        and row.differs is not None
        and (row.recipe, row.differs <= RIGHT) == (name, True)
    ]
    return "{1} {0:.2f}".format(*min(right)) if right else "none"
