"""Bytes by which the memory of this process rises while one method explains one workload.

    python benchmarks/peak.py WORKLOAD METHOD THREADS

Linux alone: others do not let a process forget its highest mark.
"""

import gc
import re
import sys
import warnings
from pathlib import Path

import torch
from methods import methods
from workloads import WORKLOADS

STATUS, REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(field: str) -> int:
    """VmRSS, what is resident now, or VmHWM, its highest mark."""
    found = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text())
    assert found is not None
    return 1024 * int(found[1])


def main() -> None:
    """Call it once, so that what it keeps for good is there; then once more, and measure."""
    warnings.simplefilter("ignore")
    name, method, threads = sys.argv[1:4]
    if int(threads):
        torch.set_num_threads(int(threads))
    (workload,) = [one for one in WORKLOADS if one.name == name]
    model, x = workload.build()
    call = methods(workload)[method](model, x)
    gc.collect()
    before = resident("VmRSS")
    call()
    gc.collect()
    REFS.write_text("5")
    call()
    print(resident("VmHWM") - before)


if __name__ == "__main__":
    main()
