"""Comparing six methods beside the bare forward passes of all their curves: time.

    python benchmarks/removal.py [data folder] --model mnist-cnn --digits 1000

Six methods, most and least relevant first and one random order, 20 steps, fill zero. The bare
passes run every digit at every step of every curve, in batches of the same sizes, as pictures that
are there already; the comparison leaves out steps that change nothing. Half of the bare ones come
before and half after each block of digits, so that a machine that is slower for a while is so for
both. Files and intervals are not in it: they come once.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from relprop.compare import METHODS, Settings
from relprop.compare.methods import Attribution
from relprop.compare.running import BLOCK, Block, blocks, bound, tried
from relprop.compare.settings import Task, prepare

SIX = tuple(method for method in METHODS if method != "zero")


def bare(model: nn.Module, x: Tensor, passes: int) -> float:
    """Seconds for so many forward passes."""
    begin = time.perf_counter()
    with torch.no_grad():
        for _ in range(passes):
            model(x)
    return time.perf_counter() - begin


def compared(task: Task, name: str, attributions: dict[str, Attribution], block: Block) -> float:
    """Seconds for relevance by all methods and all curves of a block."""
    begin = time.perf_counter()
    tried(task, name, attributions, block)
    return time.perf_counter() - begin


def measure(task: Task, name: str) -> tuple[float, float]:
    """Seconds of the bare passes, and of the comparison."""
    attributions = bound(task, name)
    curves = 1 + 2 * len(task.methods)
    totals = [0.0, 0.0]
    for block in blocks(task)[name]:
        part = task.digits[name].digits.images[block.rows]
        together = max(1, BLOCK // len(part))  # steps of a curve that share a pass
        x = part.repeat(together, 1, 1, 1)
        passes = round((1 + curves * len(task.removed)) / together)
        half = passes // 2
        totals[0] += bare(task.models[name], x, half)
        totals[1] += compared(task, name, attributions, block)
        totals[0] += bare(task.models[name], x, passes - half)
    return totals[0], totals[1]


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="mnist-cnn")
    parser.add_argument("--digits", type=int, default=1000)
    options = parser.parse_args()
    settings = Settings(
        (options.model,), methods=SIX, digits=options.digits, data_dir=options.folder
    )
    passes, whole = measure(prepare(settings), options.model)
    print(
        f"{options.model}, {options.digits} digits, {len(SIX)} methods: "
        f"bare passes {passes:.1f} s, comparison {whole:.1f} s, ratio {whole / passes:.2f}"
    )


if __name__ == "__main__":
    main()
