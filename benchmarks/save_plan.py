"""Captures the model of a workload, and writes its plan by a recipe to a file.

    python benchmarks/save_plan.py WORKLOAD RECIPE FILE

In a process of its own, so that the memory of torch.export ends with that process.
"""

import sys
from pathlib import Path

from methods import write_plan
from workloads import WORKLOADS


def main() -> None:
    """Write the plan that the command line names."""
    title, name, path = sys.argv[1:]
    (workload,) = [one for one in WORKLOADS if one.name == title]
    write_plan(*workload.build("cpu"), name, Path(path))


if __name__ == "__main__":
    main()
