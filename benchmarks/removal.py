"""Compares the time of six methods' removal curves with that of their bare forward passes.

    python benchmarks/removal.py [data folder] --model mnist-cnn --digits 1000

Six methods, most and least relevant first and one random order, 20 steps, fill zero. The bare
passes run every digit at every step of every curve, in batches of the same sizes, on images that
exist already; the comparison skips steps that change nothing. Half of the bare passes run before
and half after each block of digits, so that a machine that is slower for a while is so for both.
Files and intervals are left out: they are needed once.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from relprop.compare import METHODS, Settings
from relprop.compare.methods import Attribution
from relprop.compare.run import Block, bind_methods, compute_block, plan_blocks
from relprop.compare.task import Task, prepare_task
from relprop.models.defaults import BATCH_SIZE

SIX = tuple(method for method in METHODS if method != "zero")


def forward_seconds(model: nn.Module, x: Tensor, passes: int) -> float:
    """Measure the seconds of a number of forward passes."""
    begin = time.perf_counter()
    with torch.no_grad():
        for _ in range(passes):
            model(x)
    return time.perf_counter() - begin


def comparison_seconds(
    task: Task, name: str, attributions: dict[str, Attribution], block: Block
) -> float:
    """Measure the seconds of relevance by all methods and of all curves of a block."""
    begin = time.perf_counter()
    compute_block(task, name, attributions, block)
    return time.perf_counter() - begin


def measure(task: Task, name: str) -> tuple[float, float]:
    """Measure the seconds of the bare forward passes, and of the comparison."""
    attributions = bind_methods(task, name)
    curves = 1 + 2 * len(task.methods)
    totals = [0.0, 0.0]
    for block in plan_blocks(task)[name]:
        part = task.data[name].digits.images[block.rows]
        together = max(1, BATCH_SIZE // len(part))  # steps of a curve that share a pass
        x = part.repeat(together, 1, 1, 1)
        passes = round((1 + curves * len(task.removed_counts)) / together)
        half = passes // 2
        totals[0] += forward_seconds(task.models[name], x, half)
        totals[1] += comparison_seconds(task, name, attributions, block)
        totals[0] += forward_seconds(task.models[name], x, passes - half)
    return totals[0], totals[1]


def main() -> None:
    """Print the times of one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="mnist-cnn")
    parser.add_argument("--digits", type=int, default=1000)
    options = parser.parse_args()
    settings = Settings(
        (options.model,), methods=SIX, digits=options.digits, data_dir=options.folder
    )
    passes, whole = measure(prepare_task(settings), options.model)
    print(
        f"{options.model}, {options.digits} digits, {len(SIX)} methods: "
        f"bare passes {passes:.1f} s, comparison {whole:.1f} s, ratio {whole / passes:.2f}"
    )


if __name__ == "__main__":
    main()
