"""Measures what a training step costs with relevance in it, as a ratio to the plain step.

The methods take turns, so that what else the machine does meets all of them.
"""

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from relevance_drop_networks import cnn, resnet
from torch import Tensor, nn

from relprop.use import RelevanceDrop, RelevanceMix, RelevancePenalty

SHAPES = {"CNN": (cnn, (128, 1, 28, 28)), "ResNet": (resnet, (128, 3, 32, 32))}
Loss = Callable[[], Tensor]


def losses(model: nn.Module, x: Tensor, y: Tensor, layer: str) -> dict[str, Loss]:
    """Return the loss of each method by name, first the plain one."""
    half, whole = RelevanceDrop(), RelevanceDrop(probability=1.0)
    plus, hidden = RelevanceDrop(recipe="epsilon-plus"), RelevanceDrop(block=2, layer=layer)
    mix, penalty = RelevanceMix(10), RelevancePenalty(model)
    mask = torch.ones(x.shape[2:], dtype=torch.bool)
    mask[:4, :4] = False
    parts = {"1/8": len(x) // 8, "40 %": int(0.4 * len(x))}

    def drop(one: RelevanceDrop) -> Loss:
        return lambda: F.cross_entropy(one.forward(model, x, y), y)

    def mixed() -> Tensor:
        inputs, labels = mix(model, x, y)
        return F.cross_entropy(model(inputs), labels)

    def penalised(rows: int) -> Loss:
        return lambda: F.cross_entropy(model(x), y) + 10 * penalty(x[:rows], y[:rows], mask)

    return {
        "plain": lambda: F.cross_entropy(model(x), y),
        "RelevanceDrop, half of the batch (default)": drop(half),
        "RelevanceDrop, whole batch": drop(whole),
        "RelevanceDrop, half, epsilon-plus": drop(plus),
        "RelevanceDrop, hidden, half": drop(hidden),
        "RelevanceMix, half": mixed,
        **{f"RelevancePenalty, {part} of the batch": penalised(n) for part, n in parts.items()},
        "RelevancePenalty, whole batch": penalised(len(x)),
    }


def measure_cost(rounds: int) -> list[dict[str, Any]]:
    """Time a step of each method on each network, in a new random order each round.

    Returns:
        For each network and method, the seconds of each round.
    """
    rows = []
    for name, (make, shape) in SHAPES.items():
        torch.manual_seed(0)
        model, x, y = make(), torch.randn(shape), torch.randint(10, shape[:1])
        optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        methods = losses(model, x, y, layer="2" if name == "CNN" else "4")
        seconds: dict[str, list[float]] = {method: [] for method in methods}
        order = random.Random(0)
        for turn in range(rounds + 2):
            for method in order.sample(list(methods), len(methods)):
                start = time.perf_counter()
                optimiser.zero_grad()
                methods[method]().backward()
                optimiser.step()
                if turn > 1:  # the first ones capture, and warm up
                    seconds[method].append(time.perf_counter() - start)
        rows += [{"network": name, "method": m, "seconds": s} for m, s in seconds.items()]
    return rows


def ratio(row: dict[str, Any], plain: dict[str, Any]) -> tuple[float, float, float]:
    """Return the median of the rounds' ratios to the plain step, and their quartiles."""
    ratios = [a / b for a, b in zip(row["seconds"], plain["seconds"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return middle, low, high
