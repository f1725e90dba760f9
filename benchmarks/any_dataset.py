"""Runs `relprop fit` on many data sets, beside baselines on the same parts, and writes a page.

    python benchmarks/any_dataset.py ../data --series UCR --encoder MODEL --out docs/any-dataset.md

Each call of `relprop fit` is a process of its own, whose time is taken from its start to its end.
With `--trials 1` the family's default alone is measured, which the search is compared with. What is
done is kept in a JSON file beside the page: a run that was stopped goes on, and `--only "Adult*"`
runs a part. A call is measured again if its line is deleted there.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from any_dataset_baselines import run_baselines
from any_dataset_page import page
from any_dataset_relevance import check_relevance
from any_dataset_rows import ROWS, Row, Sources, Task
from any_dataset_runs import Run, RunFile, pack

import relprop

MODES = {"search": (), "default": ("--trials", "1")}


def run_task(row: Row, task: Task, mode: str, options: argparse.Namespace) -> Run:
    """Call `relprop fit` and test what came out."""
    budget = options.budget or row.budget
    out = options.work / "bundles" / f"{row.name} {task.name} {mode}".replace(" ", "-")
    fit = (sys.executable, "-m", "relprop", "fit", *task.arguments, "--budget", budget)
    others = ("--seed", str(task.seed), "--out", str(out), "--quiet", *MODES[mode])
    seconds, cpu_seconds = _timed([*fit, *others], options.threads)
    bundle = relprop.load(out)
    content, test = bundle.content, bundle.content.outputs["test"]
    is_right = (test.outputs.argmax(1) == test.targets)[test.rows.argsort()].numpy()
    imbalance, over_random = check_relevance(bundle)
    print(f"{out.name}: {is_right.mean():.2%} in {seconds:.0f} s", file=sys.stderr, flush=True)
    return Run(
        row=row.name,
        task=task.name,
        mode=mode,
        budget=budget,
        threads=options.threads,
        beside=options.parallel,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        trials=len(content.leaderboard),
        family=content.members[0].family,
        parameters=sum(p.numel() for p in bundle.model.parameters()),
        samples=len(is_right),
        right=pack(is_right),
        tested="" if task.tested is None else pack(task.tested),
        imbalance=imbalance,
        over_random=over_random,
        baselines=_baselines(row, task) if mode == "search" else {},
    )


def _timed(command: list[str], threads: int) -> tuple[float, float]:
    """Run a command; return its wall time and the processor time of it and its children."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def _baselines(row: Row, task: Task) -> dict[str, str]:
    if not (row.baselines and task.baselines):
        return {}
    train, _, test, *_ = task.arguments
    scores = run_baselines(row.baselines, Path(train), Path(test))
    return {name: pack(is_right) for name, is_right in scores.items()}


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
    file = RunFile(options.out.with_suffix(".json"))

    def run_if_missing(row: Row, task: Task, mode: str) -> None:
        if not file.find((row.name, task.name, mode)):
            file.put(run_task(row, task, mode, options))
            options.out.write_text(page(ROWS, file.runs))

    calls = [
        (row, task, mode)
        for row in ROWS
        if fnmatch(row.name, options.only)
        for task in row.tasks(sources, options.work / "files" / row.name.replace(" ", "-"))
        for mode in options.mode or MODES
    ]
    with ThreadPoolExecutor(options.parallel) as pool:
        list(pool.map(lambda call: run_if_missing(*call), calls))
    options.out.write_text(page(ROWS, file.runs))


if __name__ == "__main__":
    main()
