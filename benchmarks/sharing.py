"""How much sooner two processes end the same number of trials than one.

    python benchmarks/sharing.py DATA --trials 16

Each process has one thread. Measured from the start of the program until the last trial has ended,
as the journal of the study has it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path


def seconds_until_the_last_trial(data, trials, workers, options):
    """Run a fit, and return the seconds until its last trial has ended."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "relprop", "fit", data, "--out", out, "--budget", "30m"]
        counts = ["--trials", trials, "--workers", workers, "--quiet"]
        # a process gives each of its workers its share of the threads
        threads = {**os.environ, "OMP_NUM_THREADS": str(workers)}
        begun = time.time()
        subprocess.run(
            [*map(str, [*command, *counts]), *options],
            check=True,
            env=threads,
            stdout=subprocess.DEVNULL,
        )
        lines = (out / "search" / "journal.log").read_text().splitlines()
        ends = [
            datetime.fromisoformat(record["datetime_complete"]).timestamp()
            for record in map(json.loads, lines)
            if record.get("datetime_complete")
        ]
        return max(ends) - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--trials", type=int, default=16)
    arguments, options = parser.parse_known_args()
    one, two = (
        seconds_until_the_last_trial(arguments.data, arguments.trials, workers, options)
        for workers in (1, 2)
    )
    print(f"{arguments.trials} trials: one process {one:.1f} s, two {two:.1f} s: {two / one:.2f}")


if __name__ == "__main__":
    main()
