"""What one method needs on one workload in a process of its own, as a line of JSON.

    python benchmarks/fresh.py WORKLOAD METHOD THREADS SIZE

resident  bytes by which the process's memory rises over what it holds with the model, the batch and
          the libraries; Linux alone: others do not let a process forget its highest mark
          With MALLOC_MMAP_THRESHOLD_=131072 glibc's malloc gives back what is freed, at the price
          of time; it would else keep it, more or less of it by the order in which it was asked for
tensors   the most bytes of tensors that one call makes and holds at once
first     seconds until the method can be called: for relprop, capture and plan
A plan that is saved is written by another process.
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
    """VmRSS, what is resident now, or VmHWM, its highest mark; 0 where there is no such file."""
    found = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return 1024 * int(found[1]) if found else 0


def load_libraries() -> None:
    """What torch imports when it reads a model for the first time is no part of any explanation."""
    relprop.Explainer(torch.nn.Linear(2, 2).eval()).plan(torch.zeros(2, 2))


def tensors(call: Method, name: str) -> int | None:
    """One more call, counted; None for what is compiled, whose tensors torch does not tell of."""
    if name.endswith(COMPILED):
        call()
        return None
    return peak_bytes(call)


def main() -> None:
    """What the command line says, as a line of JSON."""
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
    """Call it once, so that what it keeps for good is there; then once more, and measure."""
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
