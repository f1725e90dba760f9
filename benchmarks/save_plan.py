"""Reads the model of a workload, and writes the plan that a recipe makes of it.

    python benchmarks/save_plan.py WORKLOAD RECIPE FILE

In a process of its own, what torch needs to read a model ends with that process.
"""

import sys
from pathlib import Path

from methods import write_plan
from workloads import WORKLOADS


def main() -> None:
    """As the command line says."""
    title, name, path = sys.argv[1:]
    (workload,) = [one for one in WORKLOADS if one.name == title]
    write_plan(*workload.build("cpu"), name, Path(path))


if __name__ == "__main__":
    main()
