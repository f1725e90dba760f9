"""The network structures side by side: two dense networks and a convolutional one, same digits.

Takes models by name and digits. Gives a record for each network: how well it reads the digits, and
how that falls as pixels are removed in each order. Must not know files or figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from ..data import Digits
from ..evaluate import ORDERS, Order, feature_count, predict, ranking, remove
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..explanation.explainer import Explainer
from ..support.progress import QUIET, Advance, Progress
from .experiment import BATCH, MAIN_RECIPE, RECIPES, explain_all

STEPS = (0.025, 0.05, 0.1, 0.2, 0.3)

Curves = Mapping[Order, tuple[ClassificationSummary, ...]]  # a cell for each share removed


@dataclass(frozen=True)
class Network:
    """One network's readings of the digits, untouched and with more and more pixels removed."""

    name: str
    steps: tuple[float, ...]  # shares removed, rising, 0 first
    curves: Curves

    @property
    def untouched(self) -> ClassificationSummary:
        """The cell before anything is removed."""
        return self.curves["morf"][0]

    def at(self, order: Order, q: float) -> ClassificationSummary:
        """The cell after the share q, one of `steps`, is removed."""
        return self.curves[order][self.steps.index(q)]


def network_explainers(models: Mapping[str, nn.Module]) -> dict[str, Explainer]:
    """An explainer by the main recipe for each network."""
    return {name: Explainer(model, RECIPES[MAIN_RECIPE]) for name, model in models.items()}


def compare_networks(
    explainers: Mapping[str, Explainer],
    digits: Digits,
    *,
    q: float = 0.1,
    seed: int = 0,
    progress: Progress = QUIET,
) -> tuple[Network, ...]:
    """Each network on the same digits, explained for the class it predicts.

    explainers  network -> its explainer
    Every network gets the same random pixels, because they depend on the seed alone.
    """
    steps = (0.0, *sorted({*STEPS, q}))
    total = len(explainers) * len(digits.images) * (1 + len(ORDERS) * (len(steps) - 1))
    with progress.stage("Networks", total, "readings") as advance:
        return tuple(
            Network(name, steps, _curves(explainer, digits, steps, seed, advance))
            for name, explainer in explainers.items()
        )


def _curves(
    explainer: Explainer, digits: Digits, steps: tuple[float, ...], seed: int, advance: Advance
) -> Curves:
    images = digits.images
    counts = [feature_count(q, images[0].numel()) for q in steps[1:]]
    relevance = explain_all(explainer, images)

    def read_all(x: Tensor) -> ClassificationSummary:
        found = classification_summary(predict(explainer.model, x, batch_size=BATCH), digits.labels)
        advance(len(x))
        return found

    untouched = read_all(images)
    curves: dict[Order, tuple[ClassificationSummary, ...]] = {}
    for order in ORDERS:
        pixels = ranking(relevance, order, seed=seed)
        after = (read_all(remove(images, pixels, count)) for count in counts)
        curves[order] = (untouched, *after)
    return MappingProxyType(curves)
