"""The networks side by side: two dense ones and a convolutional one, on the same digits.

Takes models by name, and digits. Gives error rates of each network as pixels are removed: the most
relevant first, and in orders that know no network. Must not know files or figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from ..data import Digits
from ..evaluate import PairedTest, Predictions, paired_tests, ranking
from ..evaluate.statistics.classification import ClassificationSummary, classification_summary
from ..explanation.explainer import Explainer
from ..models.defaults import BATCH_SIZE
from ..support.progress import QUIET, Advance, Progress
from .removal import (
    CONTROL_ORDERS,
    DEMO_FILLS,
    Outcomes,
    Removal,
    Subject,
    classify_removals,
    rank_controls,
)
from .rule_table import MAIN_RECIPE, RECIPES, pixel_count

SHARES = (0.05, 0.1, 0.2)  # of the pixels removed
CURVE_ORDERS = (MAIN_RECIPE, *CONTROL_ORDERS)

ByOrder = Mapping[str, tuple[ClassificationSummary, ...]]  # one for each share removed
TestsByControl = Mapping[str, tuple[PairedTest, ...]]  # one for each share but 0


@dataclass(frozen=True)
class NetworkResult:
    """Error rates and margins of one network as more and more pixels are removed.

    Attributes:
        name: Name of the network.
        shares: Shares of the pixels removed, rising, 0 first.
        curves: Error rate and margins at each share, by fill and order.
        tests: Paired tests of errors, by fill and control: most relevant minus control.
        relevance: Relevance by the main recipe, (n, 1, h, w).
        before: Predictions for the unmodified digits.
    """

    name: str
    shares: tuple[float, ...]
    curves: Mapping[str, ByOrder]
    tests: Mapping[str, TestsByControl]
    relevance: Tensor
    before: Predictions

    @property
    def untouched(self) -> ClassificationSummary:
        """Error rate and margins before anything is removed."""
        return self.curves[DEMO_FILLS[0]][MAIN_RECIPE][0]

    def at(self, order: str, fill: str, share: float) -> ClassificationSummary:
        """Return error rate and margins after a share, one of `shares`, is removed."""
        return self.curves[fill][order][self.shares.index(share)]


def explainers_by_network(models: Mapping[str, nn.Module]) -> dict[str, Explainer]:
    """Make an explainer by the main recipe for each network."""
    return {name: Explainer(model, RECIPES[MAIN_RECIPE]) for name, model in models.items()}


def compare_networks(
    explainers: Mapping[str, Explainer],
    digits: Digits,
    *,
    q: float = 0.1,
    seed: int = 0,
    relevance: Mapping[str, Tensor] = MappingProxyType({}),
    known: Mapping[str, Outcomes] = MappingProxyType({}),
    progress: Progress = QUIET,
) -> tuple[NetworkResult, ...]:
    """Remove pixels from the same digits by each network's own relevance, and classify them.

    Args:
        explainers: Explainer of each network, by name.
        digits: Images and labels.
        q: A share of pixels to remove besides those in SHARES.
        seed: Random seed of random ink and of ties; random ink is the same for all networks.
        relevance: Relevance by the main recipe, by network, where it is known.
        known: Outcomes with the same digits and seed, by network.
        progress: Shows the removal.
    """
    shares = (0.0, *sorted({*SHARES, q}))
    controls = rank_controls(digits.images, seed)
    steps = len(DEMO_FILLS) * len(CURVE_ORDERS) * (len(shares) - 1)
    total = len(explainers) * len(digits.images) * steps
    results = []
    with progress.stage("Networks", total, "inputs") as advance:
        for name, explainer in explainers.items():
            own = relevance.get(name)
            if own is None:
                own = explainer(digits.images, batch_size=BATCH_SIZE).relevance
            ranked = {MAIN_RECIPE: ranking(own, seed=seed), **controls}
            subject = Subject.of(explainer.model, digits.images)
            curves = _Curves(subject, digits.labels, shares)
            results.append(curves.result(name, own, ranked, known.get(name, {}), advance))
    return tuple(results)


@dataclass(frozen=True)
class _Curves:
    """Error rates of one network at some shares."""

    subject: Subject
    labels: Tensor
    shares: tuple[float, ...]

    def result(
        self,
        name: str,
        relevance: Tensor,
        ranked: Mapping[str, Tensor],
        known: Outcomes,
        advance: Advance,
    ) -> NetworkResult:
        removals = [
            self._removal(order, fill, share)
            for order in CURVE_ORDERS
            for fill in DEMO_FILLS
            for share in self.shares[1:]
        ]
        outcomes = classify_removals(self.subject, ranked, removals, known, advance)
        curves = {
            fill: {order: self._summaries(outcomes, order, fill) for order in CURVE_ORDERS}
            for fill in DEMO_FILLS
        }
        tests, before = self._tests(outcomes), self.subject.before
        return NetworkResult(name, self.shares, curves, tests, relevance, before)

    def _removal(self, order: str, fill: str, share: float) -> Removal:
        return Removal(order, fill, pixel_count(share, self.subject.images[0].numel()))

    def _summaries(
        self, outcomes: Outcomes, order: str, fill: str
    ) -> tuple[ClassificationSummary, ...]:
        after = [outcomes[self._removal(order, fill, share)] for share in self.shares[1:]]
        return tuple(
            classification_summary(each, self.labels) for each in (self.subject.before, *after)
        )

    def _tests(self, outcomes: Outcomes) -> dict[str, TestsByControl]:
        """Test errors without the most relevant pixels minus those of each control."""
        wrong = {removal: after.prediction != self.labels for removal, after in outcomes.items()}
        shares = self.shares[1:]
        cells = [(f, control, s) for f in DEMO_FILLS for control in CONTROL_ORDERS for s in shares]
        pairs = [
            (wrong[self._removal(MAIN_RECIPE, f, s)], wrong[self._removal(control, f, s)])
            for f, control, s in cells
        ]
        found = dict(zip(cells, paired_tests(pairs), strict=True))
        return {
            f: {control: tuple(found[f, control, s] for s in shares) for control in CONTROL_ORDERS}
            for f in DEMO_FILLS
        }
