"""Counts the Python calls of one explanation: calls, functions, files, and changes of file.

    python benchmarks/count_calls.py            # Linear-ReLU-Linear, epsilon: cold and warm
    python benchmarks/count_calls.py --list     # with every call in order

Counts functions of the package alone, with `sys.setprofile`. A change of file is a call into
another file than that of the call before it.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

import relprop

PACKAGE = str(Path(relprop.__file__).parent)


@dataclass(frozen=True)
class Call:
    """One call of a function of the package."""

    file: str
    function: str
    line: int
    depth: int


def record_calls(function: Callable[[], object]) -> list[Call]:
    """Run a function, and return all calls within the package, in order."""
    calls: list[Call] = []

    def profile(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        file = code.co_filename.removeprefix(f"{PACKAGE}/")
        depth, outer = 0, frame.f_back
        while outer is not None:
            depth, outer = depth + outer.f_code.co_filename.startswith(PACKAGE), outer.f_back
        calls.append(Call(file, code.co_qualname, code.co_firstlineno, depth))

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls


def summarise(calls: list[Call]) -> str:
    """Count calls, functions, files, changes of file, and the greatest depth."""
    files = [call.file for call in calls]
    changes = sum(a != b for a, b in pairwise(files))
    functions = {(call.file, call.line) for call in calls}
    return (
        f"{len(calls)} calls, {len(functions)} functions, {len(set(files))} files, "
        f"{changes} changes of file, {max(call.depth for call in calls)} deep"
    )


def main() -> None:
    """Print the counts of a cold call and of a warm one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print every call of the warm one")
    arguments = parser.parse_args()
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    explainer, x = relprop.Explainer(model, "epsilon"), torch.randn(4, 8)
    print("cold:", summarise(record_calls(lambda: explainer(x))))
    explainer(x)
    warm = record_calls(lambda: explainer(x))
    print("warm:", summarise(warm))
    for call in warm if arguments.list else ():
        print("  " * call.depth + f"{call.file}: {call.function}")


if __name__ == "__main__":
    main()
