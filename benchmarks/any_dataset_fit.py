"""Calls `relprop fit` as a program of its own, and tests the bundle that comes out."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from any_dataset_baselines import run_baselines
from any_dataset_relevance import check_relevance
from any_dataset_rows import Row, Task
from any_dataset_runs import Run, pack

import relprop
from relprop.bundle_report.write import open_data
from relprop.bundles.bundle import Bundle, open_content
from relprop.bundles.content import BundleContent, PartOutputs
from relprop.search.finish import measure_test_part
from relprop.search.prepared import PreparedData


@dataclass(frozen=True)
class Calls:
    """How `relprop fit` is called.

    Attributes:
        work: Folder of the bundles.
        budget: Budget in place of that of each row; None for that of the row.
        threads: Threads of each call.
        beside: How many calls run at the same time.
    """

    work: Path
    budget: str | None
    threads: int
    beside: int


def run_search(row: Row, task: Task, calls: Calls) -> Run:
    """Call `relprop fit`, and test model and relevance."""
    folder = _folder(row, task, "search", calls)
    seconds, cpu_seconds = _fit(row, task, calls, folder)
    bundle = relprop.load(folder)
    imbalance, over_random = check_relevance(bundle)
    found = bundle.content.outputs["test"]
    run = _run(row, task, "search", calls, bundle.content, found, seconds, cpu_seconds)
    baselines = _baselines(row, task)
    return replace(run, imbalance=imbalance, over_random=over_random, baselines=baselines)


def run_default(row: Row, task: Task, calls: Calls) -> Run:
    """Test the first network of the family's default settings, trained once.

    The search begins with it: where its best model is an average that holds it, it is taken from
    there, else it is trained by `--trials 1`.
    """
    folder = _folder(row, task, "search", calls)
    seconds = cpu_seconds = 0.0
    if not (folder.exists() and _begins_with_default(relprop.load(folder).content)):
        folder = _folder(row, task, "default", calls)
        seconds, cpu_seconds = _fit(row, task, calls, folder, "--trials", "1")
    bundle = relprop.load(folder)
    alone = replace(bundle.content, members=bundle.content.members[:1])
    found = _test_outputs(bundle, alone)
    return _run(row, task, "default", calls, alone, found, seconds, cpu_seconds)


def _begins_with_default(content: BundleContent) -> bool:
    """Tell whether the first network has the settings of the first trial."""
    default = next(row for row in content.leaderboard if row.number == 0)
    first = content.members[0]
    return (first.family, first.settings) == (default.family, default.settings)


def _test_outputs(bundle: Bundle, content: BundleContent) -> PartOutputs:
    data = PreparedData(open_data(bundle, None), "", 1, 0)
    return measure_test_part(content, data, "cpu").outputs["test"]


def _folder(row: Row, task: Task, mode: str, calls: Calls) -> Path:
    return calls.work / "bundles" / f"{row.name} {task.name} {mode}".replace(" ", "-")


def _run(
    row: Row,
    task: Task,
    mode: str,
    calls: Calls,
    content: BundleContent,
    found: PartOutputs,
    seconds: float,
    cpu_seconds: float,
) -> Run:
    is_right = (found.outputs.argmax(1) == found.targets)[found.rows.argsort()].numpy()
    print(f"{row.name} {task.name} {mode}: {is_right.mean():.2%}", file=sys.stderr, flush=True)
    return Run(
        row=row.name,
        task=task.name,
        mode=mode,
        budget=calls.budget or row.budget,
        threads=calls.threads,
        beside=calls.beside,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        trials=len(content.leaderboard),
        family=content.members[0].family,
        networks=len(content.members),
        parameters=sum(p.numel() for p in open_content(content).model.parameters()),
        samples=len(is_right),
        right=pack(is_right),
        tested="" if task.tested is None else pack(task.tested),
    )


def _fit(row: Row, task: Task, calls: Calls, folder: Path, *more: str) -> tuple[float, float]:
    """Run the command; return its wall time and the processor time of it and its children."""
    budget = calls.budget or row.budget
    command = [sys.executable, "-m", "relprop", "fit", *task.arguments, "--budget", budget]
    options = ["--seed", str(task.seed), "--out", str(folder), "--quiet", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": str(calls.threads)}
    start = time.perf_counter()
    process = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL)
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
