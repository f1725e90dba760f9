"""What it helps to make a network as wide as its relevance says: measured once, on Fashion-MNIST.

Takes pictures in two parts. Gives accuracies and sizes of three networks: the CNN of the shipped
layers, one whose layers are as wide as the number of channels that carry 99 % of its relevance, and
one that is narrower in all layers alike, with about as many weights as the second.
"""

from collections.abc import Sequence
from typing import Any

import torch
from pruning_networks import Pictures, accuracy, fit
from torch import nn

from relprop.use import utilisation

WIDTHS = (16, 32, 32, 64, 128)
LEARNED, EPOCHS, DESCRIBED = 3_000, 2, 200  # pictures, passes, pictures whose relevance is computed
SEEDS = (0, 1, 2)


def network(widths: Sequence[int]) -> nn.Sequential:
    """Build the CNN of the shipped layers, with other widths."""
    a, b, c, d, e = widths
    return nn.Sequential(
        *(nn.Conv2d(1, a, 3, 1, 1), nn.ReLU(), nn.Conv2d(a, b, 3, 1, 1), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Conv2d(b, c, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(c, d, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(49 * d, e), nn.ReLU(), nn.Dropout(), nn.Linear(e, 10)),
    )


def narrower(weights: int) -> tuple[int, ...]:
    """Return the widths, all divided alike, whose network has the next number of weights."""
    choices = [tuple(max(1, round(w * k / 200)) for w in WIDTHS) for k in range(1, 201)]
    with torch.device("meta"):
        return min(choices, key=lambda widths: abs(count(network(widths)) - weights))


def count(model: nn.Module) -> int:
    """Count weights."""
    return sum(p.numel() for p in model.parameters())


def measure_advice(train: Pictures, test: Pictures) -> dict[str, Any]:
    """Train the three networks with three seeds each."""
    learned = train.first(LEARNED)
    first = trained(WIDTHS, learned, SEEDS[0])
    used = utilisation(first, learned.x[:DESCRIBED], learned.y[:DESCRIBED])
    advised = tuple(max(1, width) for width in used.widths.values())
    rows = {"as shipped": WIDTHS, "as advised": advised}
    rows["all alike"] = narrower(count(network(advised)))
    return {
        "sentences": [one.sentence() for one in used.layers],
        "networks": {
            name: {
                "widths": list(widths),
                "weights": count(network(widths)),
                "accuracy": [accuracy(trained(widths, learned, seed), test) for seed in SEEDS],
            }
            for name, widths in rows.items()
        },
    }


def trained(widths: Sequence[int], learned: Pictures, seed: int) -> nn.Module:
    """Train a network."""
    torch.manual_seed(seed)
    model = network(widths)
    fit(model, learned, epochs=EPOCHS, rate=0.003, seed=seed)
    return model
