"""The networks side by side: two dense ones and a convolutional one, on the same digits.

Takes models by name, and digits. Gives error rates and margins of each network as pixels are
removed in each order. Must not know files or figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from ..data import Digits
from ..evaluate import ORDERS, Order, removal_curves
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..explanation.explainer import Explainer
from ..models.defaults import BATCH_SIZE
from ..support.progress import QUIET, NestedProgress, Progress
from .rule_table import MAIN_RECIPE, RECIPES, pixel_count

SHARES = (0.025, 0.05, 0.1, 0.2, 0.3)  # of the pixels removed

SummaryCurves = Mapping[Order, tuple[ClassificationSummary, ...]]  # one for each share removed


@dataclass(frozen=True)
class NetworkResult:
    """Error rates and margins of one network as more and more pixels are removed.

    Attributes:
        name: Name of the network.
        shares: Shares of the pixels removed, rising, 0 first.
        curves: Error rate and margins at each share, by order of removal.
    """

    name: str
    shares: tuple[float, ...]
    curves: SummaryCurves

    @property
    def untouched(self) -> ClassificationSummary:
        """Error rate and margins before anything is removed."""
        return self.curves["morf"][0]

    def at(self, order: Order, q: float) -> ClassificationSummary:
        """Return error rate and margins after the share q, one of `shares`, is removed."""
        return self.curves[order][self.shares.index(q)]


def explainers_by_network(models: Mapping[str, nn.Module]) -> dict[str, Explainer]:
    """Make an explainer by the main recipe for each network."""
    return {name: Explainer(model, RECIPES[MAIN_RECIPE]) for name, model in models.items()}


def compare_networks(
    explainers: Mapping[str, Explainer],
    digits: Digits,
    *,
    q: float = 0.1,
    seed: int = 0,
    progress: Progress = QUIET,
) -> tuple[NetworkResult, ...]:
    """Remove pixels from the same digits by each network's own relevance, and classify them.

    Args:
        explainers: Explainer of each network, by name.
        digits: Images and labels.
        q: A share of pixels to remove besides those in SHARES.
        seed: Random seed; the random pixels depend on it alone, and are the same for all networks.
        progress: Shows the removal.
    """
    shares = (0.0, *sorted({*SHARES, q}))
    pixels = digits.images[0].numel()
    counts = sorted({pixel_count(share, pixels) for share in shares[1:]})
    total = len(explainers) * len(digits.images) * len(ORDERS) * len(counts)
    results = []
    with progress.stage("Networks", total, "inputs") as advance:
        for name, explainer in explainers.items():
            relevance = explainer(digits.images, batch_size=BATCH_SIZE).relevance
            curves = removal_curves(
                explainer.model,
                digits.images,
                {MAIN_RECIPE: relevance},
                steps=counts,
                batch_size=BATCH_SIZE,
                seed=seed,
                progress=NestedProgress(advance),
            )[MAIN_RECIPE]
            summaries = {
                order: tuple(
                    classification_summary(getattr(curves, order).at(share), digits.labels)
                    for share in shares
                )
                for order in ORDERS
            }
            results.append(NetworkResult(name, shares, MappingProxyType(summaries)))
    return tuple(results)
