"""Small data sets, a tiny family and a search on them, for tests of `relprop fit`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from relprop.data.dataset import Dataset, DataTarget
from relprop.networks.family import Choice, Facts, NetworkFamily, Range

ROOT = Path(__file__).parents[2]
FACTS = Facts("table", "classes", 2, 100, (4,))
TRAINING = {
    **{"optimiser": "adamw", "rate": 1e-2, "decay": 0.0, "batch": 32, "epochs": 5},
    **{"smoothing": 0.0, "average": 0.0, "mixup": 0.0},
}
# Quick settings of the real families for tables.
QUICK = {"teacher": "none", "ensemble": 1, "epochs": 5}
QUICK_SPACE = {"families": ["mlp"], "mlp": QUICK}


def small_family(name="tiny"):
    """A linear network with a space of two settings."""
    space = {"width": Choice((4, 8)), "rate": Range(1e-3, 1e-1, log=True)}
    return NetworkFamily(
        name,
        "table",
        lambda settings, facts: nn.Linear(facts.shape[0], facts.outputs),
        lambda facts: space,
        lambda facts: {**TRAINING, "width": 8, "members": 1},
    )


def write_table(path, rows=400, seed=0):
    """Write a table whose class follows from its numbers, but for a tenth of the rows."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4))
    wrong = random.random(rows) < 0.1
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0) ^ wrong
    lines = [
        ",".join([*(f"{v:.4f}" for v in row), "yes" if label else "no"])
        for row, label in zip(x, y, strict=True)
    ]
    path.write_text("\n".join(["a,b,c,d,answer", *lines]) + "\n")
    return path


def numbers(rows=120, seed=0):
    """A table in memory: three classes that a linear network tells apart."""
    import pandas

    random = np.random.default_rng(seed)
    classes = np.arange(rows) % 3
    x = random.normal(size=(rows, 4)) + 2 * np.eye(3, 4)[classes]
    parts = np.array(["train", "train", "train", "validation", "test"])[np.arange(rows) // 3 % 5]
    return Dataset(
        source="made",
        modality="table",
        samples=pandas.DataFrame(x, columns=list("abcd")),
        keys=tuple(map(str, range(rows))),
        target=DataTarget("classes", ("x", "y", "z"), classes),
        parts=parts,
        columns=dict.fromkeys("abcd", "number"),
    )


def environment():
    """Variables for a program that imports the package of these tests, and torchvision as here."""
    paths = [str(ROOT / "tests" / "helpers" / "start"), str(ROOT / "src")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def start_process(*options, **more):
    """Start `relprop fit` as a program of its own."""
    command = [sys.executable, "-m", "relprop", "fit", *map(str, options)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    listens = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # in background
    return subprocess.Popen(command, env=environment(), **{**pipes, **listens, **more})


def seeded(module, seed=0):
    """Give a module weights that follow from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in module.parameters():
            nn.init.normal_(parameter)
    return module
