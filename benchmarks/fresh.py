"""Measures what one method needs on one workload, in a process of its own: a line of JSON.

    python benchmarks/fresh.py WORKLOAD METHOD THREADS SIZE

resident  bytes by which the process's memory rises over what it holds with the model, the batch and
          the libraries; on Linux only, since other systems cannot reset a process's peak
          With MALLOC_MMAP_THRESHOLD_=131072 glibc's malloc returns freed memory, which takes time;
          else it keeps some, depending on the order of allocations
tensors   peak bytes of the tensors that one call creates
first     seconds until the method can be called: for relprop, capture and plan
A saved plan is written by another process.
"""

import gc
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from time import perf_counter

import torch
from methods import COMPILED, SAVED, Method, methods
from workloads import WORKLOADS, Workload

import relprop
from relprop.explanation.memory import peak_bytes

SAVE_PLAN = Path(__file__).with_name("save_plan.py")
STATUS, REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(field: str) -> int:
    """Read VmRSS, what is resident now, or VmHWM, its peak; 0 if there is no such file."""
    match = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return 1024 * int(match[1]) if match else 0


def load_libraries() -> None:
    """Import what torch imports at its first export, which is no part of an explanation."""
    relprop.Explainer(torch.nn.Linear(2, 2).eval()).plan(torch.zeros(2, 2))


def tensors(call: Method, name: str) -> int | None:
    """Count the tensors of one more call; None for compiled functions, which cannot be counted."""
    if name.endswith(COMPILED):
        call()
        return None
    return peak_bytes(call)


def main() -> None:
    """Measure what the command line names."""
    warnings.simplefilter("ignore")
    title, name, threads, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if threads:
        torch.set_num_threads(threads)
    (workload,) = [one for one in WORKLOADS if one.name == title]
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "saved.plans"
        if name.endswith(SAVED):
            recipe = name.removeprefix("relprop ").removesuffix(SAVED)
            subprocess.run([sys.executable, SAVE_PLAN, title, recipe, plan], check=True)
        print(json.dumps(measured(workload, name, size, plan)))


def measured(workload: Workload, name: str, size: int, plan: Path) -> dict[str, float | None]:
    """Call the method once, so that its caches are filled; then once more, and measure."""
    model, x = workload.build("cpu")
    load_libraries()
    gc.collect()
    before, start = resident("VmRSS"), perf_counter()
    call = methods(workload, size or None, plan)[name](model, x)
    first = perf_counter() - start
    if not size:  # in parts, what it keeps is there after the first of them
        call()
    gc.collect()
    if REFS.exists():
        REFS.write_text("5")
    held = tensors(call, name)
    rise = resident("VmHWM") - before if before else None
    return {"resident": rise, "tensors": held, "first": first}


if __name__ == "__main__":
    main()
