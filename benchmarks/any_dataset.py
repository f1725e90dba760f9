"""Runs `relprop fit` on many data sets, beside baselines on the same parts, and writes a page.

    python benchmarks/any_dataset.py ../data --series UCR --encoder MODEL --out docs/any-dataset.md

Each call of `relprop fit` is a process of its own, whose time is taken from its start to its end.
With `--trials 1` the family's default alone is measured, which the search is compared with. What is
done is kept in the work folder: a run that was stopped goes on, and `--only "Adult*"` runs a part.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

from any_dataset_baselines import run_baselines
from any_dataset_page import page
from any_dataset_relevance import check_relevance
from any_dataset_rows import ROWS, Row, Sources, Task

import relprop

MODES = {"search": (), "default": ("--trials", "1")}


@dataclass(frozen=True)
class Run:
    """One call of `relprop fit`, done.

    Attributes:
        row: Name of the data set.
        task: Name of the task: a seed or a fold.
        mode: "search", or "default" for the first trial alone.
        budget: The budget as asked for.
        seconds: Wall time from the start of the process to its end.
        cpu_seconds: Processor time of it and its workers.
        trials: How many trials there were.
        family: Family of the model that came out.
        parameters: Number of its weights.
        right: Whether each test sample is classified correctly.
        imbalance: Largest imbalance of the ledger, as a share of the score.
        over_random: Area between the removal curves of a random order and of the most relevant
            first, of each of some test samples: above 0 is better than random.
        baselines: Name of a baseline -> whether each test sample is right.
    """

    row: str
    task: str
    mode: str
    budget: str
    seconds: float
    cpu_seconds: float
    trials: int
    family: str
    parameters: int
    right: list[bool]
    imbalance: float
    over_random: list[float]
    baselines: dict[str, list[bool]]


def run_task(row: Row, task: Task, mode: str, work: Path, budget: str, threads: int) -> Run:
    """Call `relprop fit`, unless it is done, and test what came out."""
    name = f"{row.name} {task.name} {mode}".replace(" ", "-").replace(",", "")
    done = work / "done" / f"{name}.json"
    if done.exists():
        return Run(**json.loads(done.read_text()))
    out = work / "bundles" / name
    fit = (sys.executable, "-m", "relprop", "fit", *task.arguments, "--budget", budget)
    options = ("--seed", str(task.seed), "--out", str(out), "--quiet", *MODES[mode])
    seconds, cpu_seconds = _timed([*fit, *options], threads)
    bundle = relprop.load(out)
    content, test = bundle.content, bundle.content.outputs["test"]
    is_right = (test.outputs.argmax(1) == test.targets).tolist()
    imbalance, over_random = check_relevance(bundle)
    run = Run(
        row=row.name,
        task=task.name,
        mode=mode,
        budget=budget,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        trials=len(content.leaderboard),
        family=content.members[0].family,
        parameters=sum(p.numel() for p in bundle.model.parameters()),
        right=is_right,
        imbalance=imbalance,
        over_random=over_random,
        baselines=_baselines(row, task) if mode == "search" else {},
    )
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_text(json.dumps(asdict(run)))
    accuracy = sum(is_right) / len(is_right)
    print(f"{name}: {accuracy:.2%} in {seconds:.0f} s", file=sys.stderr, flush=True)
    return run


def _timed(command: list[str], threads: int) -> tuple[float, float]:
    """Run a command; return its wall time and the processor time of it and its children."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def _baselines(row: Row, task: Task) -> dict[str, list[bool]]:
    if not row.baselines:
        return {}
    train, _, test, *_ = task.arguments
    return run_baselines(row.baselines, Path(train), Path(test))


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
    rows = [row for row in ROWS if fnmatch(row.name, options.only)]
    calls = [
        (row, task, mode, options.work, options.budget or row.budget, options.threads)
        for row in rows
        for task in row.tasks(sources, options.work / "files" / row.name.replace(" ", "-"))
        for mode in options.mode or MODES
    ]
    with ThreadPoolExecutor(options.parallel) as pool:
        runs = list(pool.map(lambda call: run_task(*call), calls))
    options.out.write_text(page(rows, runs))


if __name__ == "__main__":
    main()
