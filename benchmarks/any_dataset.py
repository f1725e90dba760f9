"""Runs `relprop fit` on many data sets, beside baselines on the same parts, and writes a page.

    python benchmarks/any_dataset.py ../data --series UCR --encoder MODEL --out docs/any-dataset.md

Each call of `relprop fit` is a process of its own, whose time is taken from its start to its end.
The search is compared with one network of the family's default settings. What is done is kept in a
JSON file beside the page: a run that was stopped goes on, and `--only "Adult*"` runs a part. A call
is measured again if its line is deleted there.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from any_dataset_fit import Calls, run_default, run_search
from any_dataset_page import page
from any_dataset_rows import ROWS, Row, Sources, Task
from any_dataset_runs import RunFile

MODES = {"search": run_search, "default": run_default}


def main() -> None:
    """Parse the options, run what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--series", type=Path, required=True)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("any-dataset"))
    parser.add_argument("--only", default="*")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--budget", help="in place of that of each row")
    parser.add_argument("--parallel", type=int, default=1, help="calls at the same time")
    parser.add_argument("--threads", type=int, default=2, help="threads of each call")
    parser.add_argument("--out", type=Path, default=Path("any-dataset.md"))
    options = parser.parse_args()
    sources = Sources(options.data, options.series, options.encoder)
    calls = Calls(options.work, options.budget, options.threads, options.parallel)
    file = RunFile(options.out.with_suffix(".json"))

    def run_missing(row: Row, task: Task) -> None:
        for mode in options.mode or MODES:
            if not file.find((row.name, task.name, mode)):
                file.put(MODES[mode](row, task, calls))
                options.out.write_text(page(ROWS, file.runs))

    todo = [
        (row, task)
        for row in ROWS
        if fnmatch(row.name, options.only)
        for task in row.tasks(sources, options.work / "files" / row.name.replace(" ", "-"))
    ]
    with ThreadPoolExecutor(options.parallel) as pool:
        list(pool.map(lambda one: run_missing(*one), todo))
    options.out.write_text(page(ROWS, file.runs))


if __name__ == "__main__":
    main()
