"""Whether `relprop fit` keeps its budget: fits of given budgets under a second load.

    python benchmarks/budget.py DATA --budgets 1m 2m 5m --runs 20

Runs each budget in turn until there are so many runs, while a second program keeps a core busy, and
writes a table of what was asked and taken. A program that did not keep 1.05 of it ends with 1.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from relprop.bundles.read import read_bundle
from relprop.search.budget import parse_duration

ALLOWED = 1.05
BUSY = "while True: sum(range(10_000))"


@dataclass(frozen=True)
class Run:
    """What one fit took, and how good its model is; or why it ended without one."""

    asked: float
    taken: float
    metric: str
    error: str = ""

    @property
    def kept(self):
        return not self.error and self.taken <= ALLOWED * self.asked


def run_fit(data, budget, out, options):
    """Run one fit as a user would, from the start of the program to its end."""
    command = [sys.executable, "-m", "relprop", "fit", data, "--budget", budget, "--out", out]
    begun = time.monotonic()
    ended = subprocess.run(
        [*map(str, command), *options, "--quiet"], check=False, capture_output=True, text=True
    )
    taken = time.monotonic() - begun
    if ended.returncode:
        return Run(parse_duration(budget), taken, "", ended.stderr.strip())
    metric = read_bundle(out).metrics[0]
    return Run(parse_duration(budget), taken, f"{metric.name} {metric.value:.4f}")


def run_all(data, budgets, runs, options):
    """Run the budgets in turn beside a program that keeps a core busy."""
    load = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        for number in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                yield run_fit(data, budgets[number % len(budgets)], Path(folder) / "out", options)
    finally:
        load.kill()
        load.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--budgets", nargs="+", default=["1m", "2m", "5m"])
    parser.add_argument("--runs", type=int, default=20)
    arguments, options = parser.parse_known_args()
    print("| asked (s) | taken (s) | taken / asked | kept | on the test part |")
    print("|---|---|---|---|---|")
    kept = []
    for run in run_all(arguments.data, arguments.budgets, arguments.runs, options):
        kept.append(run.kept)
        share, word = run.taken / run.asked, "yes" if run.kept else "no"
        found = run.metric or run.error.splitlines()[0]
        print(f"| {run.asked:.0f} | {run.taken:.1f} | {share:.3f} | {word} | {found} |", flush=True)
    print(f"\n{sum(kept)} of {len(kept)} runs kept {ALLOWED} of their budget.")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
