"""Which pixels are removed first, what replaces them, and what a network then predicts.

Takes a network, digits, and a number for each pixel. Gives predictions. Must not know rules or
pages.

    n  digits      d  pixels of a digit
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ..evaluate import Predictions, ranking
from ..evaluate.statistics.predictions import predictions_of, resolve_output_kind
from ..models.defaults import BATCH_SIZE
from ..support.output_kinds import OutputKind
from ..support.progress import Advance

BRIGHTEST, INK, RANDOM = "brightest", "random ink", "random pixels"
CONTROL_ORDERS = (
    BRIGHTEST,
    INK,
)  # orders that know no network; random pixels are weak: most are blank
DEMO_FILLS = (
    "zero",
    "mean",
)  # what replaces a removed pixel: black, or the mean grey of all digits


@dataclass(frozen=True)
class Removal:
    """A removal of pixels.

    Attributes:
        order: Name of the order in which pixels go.
        fill: What replaces them, one of DEMO_FILLS.
        count: How many pixels of each digit.
    """

    order: str
    fill: str
    count: int


Outcomes = Mapping[Removal, Predictions]  # predictions after each removal, (n,)


@dataclass(frozen=True)
class Subject:
    """A network and digits, as they are before anything is removed.

    Attributes:
        model: The network.
        images: The digits, (n, 1, h, w).
        kind: What the numbers of the network's output are.
        before: Predictions for the unmodified digits, (n,).
        greys: Grey value of a removed pixel, by fill.
    """

    model: nn.Module
    images: Tensor
    kind: OutputKind
    before: Predictions
    greys: Mapping[str, float]

    @classmethod
    def of(cls, model: nn.Module, images: Tensor) -> "Subject":
        """Classify the unmodified digits."""
        output = _run(model, images)
        kind = resolve_output_kind(output, None)
        greys = MappingProxyType({"zero": 0.0, "mean": float(images.mean())})
        return cls(model, images, kind, predictions_of(output, kind), greys)

    def without(self, ranked: Tensor, removal: Removal) -> Tensor:
        """Return the digits (n, 1, h, w) without the first pixels of an order (n, d)."""
        flat = self.images.flatten(1)
        gone = torch.zeros_like(flat, dtype=torch.bool).scatter_(
            1, ranked[:, : removal.count], True
        )
        return flat.masked_fill(gone, self.greys[removal.fill]).reshape(self.images.shape)

    def classify(self, ranked: Tensor, removal: Removal) -> Predictions:
        """Classify digits without pixels; the network runs on those that differ from before."""
        images = self.without(ranked, removal)
        changed = (images != self.images).flatten(1).any(1)
        if not changed.any():
            return self.before
        after = predictions_of(_run(self.model, images[changed]), self.kind)
        return Predictions(
            self.before.prediction.masked_scatter(changed, after.prediction),
            self.before.margin.masked_scatter(changed, after.margin),
        )


def least(recipe: str) -> str:
    """Name the order that removes the least relevant pixels of a recipe first."""
    return f"least {recipe}"


def rank_controls(images: Tensor, seed: int) -> dict[str, Tensor]:
    """Rank pixels without a network, (n, d) by name of the order; ties go in random order."""
    scores = {BRIGHTEST: images, INK: (images > 0).float(), RANDOM: torch.zeros_like(images)}
    return {name: ranking(score, seed=seed) for name, score in scores.items()}


def rank_relevance(relevance: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Rank pixels by relevance, by name of the order.

    Most relevant is the highest signed relevance; least relevant is |R| nearest to zero, so that
    pixels that speak against the class are not taken for unimportant.
    """
    most = {name: ranking(each, seed=seed) for name, each in relevance.items()}
    abs_first = {least(name): ranking(-each.abs(), seed=seed) for name, each in relevance.items()}
    return {**most, **abs_first}


def classify_removals(
    subject: Subject,
    ranked: Mapping[str, Tensor],
    removals: Iterable[Removal],
    known: Outcomes = MappingProxyType({}),
    advance: Advance = lambda count: None,
) -> dict[Removal, Predictions]:
    """Classify the digits after each removal, except for those whose outcome is known.

    Args:
        subject: Network and digits.
        ranked: Pixels of each digit, first removed first, (n, d), by name of the order.
        removals: The removals.
        known: Outcomes of earlier removals.
        advance: Called with the number of digits after each removal.
    """
    outcomes = {}
    for removal in removals:
        outcome = known.get(removal) or subject.classify(ranked[removal.order], removal)
        outcomes[removal] = outcome
        advance(len(subject.images))
    return outcomes


def _run(model: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([model(part) for part in torch.split(images, BATCH_SIZE)])
