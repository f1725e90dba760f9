"""Compares removal curves with Quantus' PixelFlipping: same digits, order and steps; time, curves.

    python benchmarks/flipping.py [mnist/ folder] --digits 256 --rounds 3

Both remove 28 pixels at a time, most relevant first, and follow the probability of the predicted
class. Each pixel has its rank by LRP-epsilon as relevance, since the two break ties differently.
Rounds alternate. Quantus returns no predictions beside the score, and no column for the original
image.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy
import torch
from torch import Tensor, nn

import relprop
from relprop.data import load_digits
from relprop.evaluate import removal_curve

PIXELS, STEPS = 784, 28


def by_relprop(model: nn.Module, x: Tensor, classes: Tensor, relevance: Tensor) -> numpy.ndarray:
    """Compute the scores after each step, (n, STEPS)."""
    curve = removal_curve(model, x, relevance, target=classes, steps=STEPS)
    return curve.scores[:, 1:].numpy()


def by_quantus(model: nn.Module, x: Tensor, classes: Tensor, relevance: Tensor) -> numpy.ndarray:
    """Compute the same with Quantus, with its own batch size."""
    import quantus

    metric = quantus.PixelFlipping(
        features_in_step=PIXELS // STEPS, normalise=False, disable_warnings=True
    )
    arrays = {"x_batch": x, "y_batch": classes, "a_batch": relevance}
    given = {name: value.numpy() for name, value in arrays.items()}
    return numpy.array(metric(model=model, **given, softmax=True, device="cpu"))


def ranked(relevance: Tensor) -> Tensor:
    """Return the rank of each entry of a sample, 0 for the least: the same order without ties."""
    ranks = relevance.flatten(1).argsort(dim=1, stable=True).argsort(1)
    return ranks.reshape(relevance.shape).to(relevance.dtype)


def timed(function: Callable[[], numpy.ndarray]) -> tuple[float, numpy.ndarray]:
    """Time a call; return the seconds and its result."""
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def compare(name: str, x: Tensor, rounds: int) -> str:
    """Format a line of the table for one network."""
    model = relprop.load_model(name)
    with torch.no_grad():
        classes = model(x).argmax(1)
    given = model, x, classes, ranked(relprop.Explainer(model, "epsilon")(x, classes).relevance)
    ratios = []
    for _ in range(rounds):
        ours, curve = timed(lambda: by_relprop(*given))
        theirs, other = timed(lambda: by_quantus(*given))
        ratios.append(theirs / ours)
    difference = numpy.abs(curve - other).max()
    return f"| {name} | {statistics.median(ratios):.2f} | {difference:.1e} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--digits", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    x = load_digits("test", options.folder).images[: options.digits]
    print(
        "| network | Quantus' time / relprop's | largest difference of the curves |\n|---|--:|--:|"
    )
    for name in relprop.models.shipped_models():
        print(compare(name, x, options.rounds))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # Quantus' advice on parameters
    main()
