"""Measures feature selection by relevance beside other methods, and writes a page.

    python benchmarks/selection.py ../data --work selection --out docs/selection.md

A part is a data set, or a design with a seed. What is done is kept in a file for each part in the
work folder: a run that was stopped goes on, several may run at the same time, and `--only "Adult*"`
runs a part. SHAP's DeepExplainer takes part where the shap package is installed.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from selection_data import DESIGNS, REAL, TRUE, RealData, make_design
from selection_page import DesignRun, RealRun, Runs, page, read_runs
from selection_shap import shap_importance
from versions import installed

from relprop.use.selection.over_k import OverK, measure_over_k
from relprop.use.selection.rankers import RANKERS, Ranker, RankingTask

SEEDS = 5  # of the designs
INNER = 3  # networks that rank features
SHAP = "SHAP DeepExplainer"


def rankers(left_out: tuple[str, ...] = ()) -> dict[str, Ranker]:
    """Return the methods, with SHAP's where it is installed."""
    found = {**RANKERS, **({SHAP: shap_importance} if find_spec("shap") else {})}
    return {name: ranker for name, ranker in found.items() if name not in left_out}


def run_real(what: RealData, data: Path) -> RealRun:
    """Measure accuracy over k on a data set."""
    dataset, start = what.read(data), time.process_time()
    methods = rankers(what.left_out)
    asked = OverK(what.ks, methods, what.outer, INNER, seed=0)
    found = measure_over_k(dataset, np.arange(len(dataset.keys)), asked)
    right = {
        name: ["".join(str(int(one)) for one in column) for column in scores.T]
        for name, scores in found.scores.items()
    }
    whole = "".join(str(int(one)) for one in found.all_features)
    stable = {
        name: [
            float(found.stability(k, name)[found.stability(k, name) > 0].mean()) for k in what.ks
        ]
        for name in methods
    }
    columns, seconds = len(found.names), time.process_time() - start
    return RealRun(what.name, columns, list(what.ks), what.outer, right, whole, stable, seconds)


def mean_above_zero(shares: np.ndarray) -> float:
    """Return the mean of the features that are chosen in a fold at all."""
    return float(shares[shares > 0].mean())


def run_design(name: str, seed: int) -> DesignRun:
    """Measure which of the true columns are among the first ten."""
    dataset, true = make_design(name, seed)
    task = RankingTask(dataset, np.arange(len(dataset.keys)), folds=INNER, seed=seed)
    start = time.process_time()
    _ = task.models
    training, recall, seconds = time.process_time() - start, {}, {}
    for method, ranker in rankers().items():
        start = time.process_time()
        first = np.argsort(-ranker(task), kind="stable")[:TRUE]
        recall[method] = float(np.isin(first, true).mean())
        seconds[method] = time.process_time() - start
    return DesignRun(name, seed, recall, seconds, training)


def main() -> None:
    """Parse the options, run what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("selection"))
    parser.add_argument("--only", default="*")
    parser.add_argument("--out", type=Path, default=Path("selection.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    for name, run in parts(options.data).items():
        file = options.work / f"{name.replace(' ', '-').replace(',', '')}.json"
        if fnmatch(name, options.only) and not file.exists():
            file.write_text(json.dumps(asdict(run())))
            print(name, flush=True)
    write(read_runs(options.work), options.out)


def parts(data: Path) -> dict[str, Callable[[], RealRun | DesignRun]]:
    """Return what is measured, by name."""
    made: dict[str, Callable[[], RealRun | DesignRun]] = {}
    for seed in range(SEEDS):
        for design in DESIGNS:
            made[f"{design} {seed}"] = lambda design=design, seed=seed: run_design(design, seed)
    for what in REAL:
        made[what.name] = lambda what=what: run_real(what, data)
    return made


def write(runs: Runs, out: Path) -> None:
    """Write the page, and the runs beside it."""
    packages = installed(("torch", "scikit-learn", "shap"))
    machine = f"{os.cpu_count()} cores, " + ", ".join(f"{k} {v}" for k, v in packages.items())
    done = {f"{one.design} {one.seed}" for one in runs.designs} | {one.name for one in runs.real}
    missing = [name for name in parts(Path()) if name not in done]
    out.write_text(page(runs, machine, missing))
    out.with_suffix(".json").write_text(json.dumps(asdict(runs), indent=1) + "\n")


if __name__ == "__main__":
    main()
