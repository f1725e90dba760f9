"""A few digits to look at, chosen from the rule table by a stated rule.

Takes the digits and a rule table. Gives a record for each chosen digit: its images before and after
removal, the predictions for them, and heatmaps by recipe and by network. Must not know how to draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor

from ..data import Digits
from ..evaluate import Order, Predictions, predict, remove_units
from ..explanation.explainer import Explainer
from .rule_table import RuleTable

Key = TypeVar("Key", bound=str)


@dataclass(frozen=True)
class ImagePrediction:
    """An image or a heatmap, and the prediction for the image.

    Attributes:
        pixels: Grey values or relevance, (h, w).
        prediction: Predicted class.
        margin: Margin of the prediction.
    """

    pixels: Tensor
    prediction: int
    margin: float


@dataclass(frozen=True)
class Example:
    """One digit, before and after each removal by the main recipe.

    Attributes:
        index: Position among the digits of the run, from 0.
        label: True class.
        flips: Whether it is classified wrongly without its most relevant pixels, and only then.
        original: The unmodified digit.
        after: The digit after removal, by order.
        by_recipe: Heatmaps of the rule table's model, by recipe.
        by_network: Heatmaps by the main recipe, by network.
    """

    index: int
    label: int
    flips: bool
    original: ImagePrediction
    after: Mapping[Order, ImagePrediction]
    by_recipe: Mapping[str, ImagePrediction]
    by_network: Mapping[str, ImagePrediction]


def choose_examples(table: RuleTable, labels: Tensor, count: int = 5) -> tuple[int, ...]:
    """Choose the indices of digits to show, of different classes where there are enough.

    First the first digit in the data's order that flips (see `flips`), then the first that holds:
    classified correctly unmodified and after each removal. Where there is none, none is chosen.
    Then the first correctly classified digit of each remaining class.
    """
    correct = table.before.prediction == labels
    holds = correct & ~torch.stack(list(_wrong(table, labels).values())).any(0)
    index_of_class: dict[int, int] = {}
    for candidates, more in ((flips(table, labels), 1), (holds, 1), (correct, count)):
        size = min(count, len(index_of_class) + more)
        for index in candidates.nonzero().flatten().tolist():
            if len(index_of_class) == size:
                break
            index_of_class.setdefault(int(labels[index]), index)
    return tuple(index_of_class.values())


def flips(table: RuleTable, labels: Tensor) -> Tensor:
    """Tell for each digit (n,) if only removing its most relevant pixels makes it wrong."""
    wrong = _wrong(table, labels)
    correct = table.before.prediction == labels
    return correct & wrong["morf"] & ~wrong["lerf"] & ~wrong["random"]


def _wrong(table: RuleTable, labels: Tensor) -> dict[Order, Tensor]:
    return {order: after.prediction != labels for order, after in table.after.items()}


def make_examples(
    digits: Digits,
    table: RuleTable,
    recipes: Mapping[str, Explainer],
    networks: Mapping[str, Explainer],
    *,
    count: int = 5,
) -> tuple[Example, ...]:
    """Collect images, predictions and heatmaps of the chosen digits.

    Args:
        digits: Images and labels.
        table: Rule table of the same digits.
        recipes: Explainer of the rule table's model, by recipe.
        networks: Explainer by the main recipe, by network.
        count: Number of digits to choose.

    Returns:
        The examples; none if no digit is classified correctly.
    """
    chosen = list(choose_examples(table, digits.labels, count))
    if not chosen:
        return ()
    images, flipping = digits.images[chosen], flips(table, digits.labels)
    original = _image_predictions(images, table.before, chosen)
    after = {
        order: _image_predictions(_remove(digits.images, table, order)[chosen], predictions, chosen)
        for order, predictions in table.after.items()
    }
    by_recipe = {name: _heatmaps(explainer, images) for name, explainer in recipes.items()}
    by_network = {name: _heatmaps(explainer, images) for name, explainer in networks.items()}
    return tuple(
        Example(
            index=index,
            label=int(digits.labels[index]),
            flips=bool(flipping[index]),
            original=original[i],
            after=_select(after, i),
            by_recipe=_select(by_recipe, i),
            by_network=_select(by_network, i),
        )
        for i, index in enumerate(chosen)
    )


def _remove(images: Tensor, table: RuleTable, order: Order) -> Tensor:
    """Remove pixels of all digits, as ties and random orders are drawn for the whole batch."""
    removed: Tensor = remove_units(images, table.relevance, table.q, order=order, seed=table.seed)
    return removed


def _heatmaps(explainer: Explainer, images: Tensor) -> list[ImagePrediction]:
    relevance, predictions = explainer(images).relevance, predict(explainer.model, images)
    return _image_predictions(relevance, predictions, list(range(len(images))))


def _image_predictions(
    images: Tensor, predictions: Predictions, chosen: list[int]
) -> list[ImagePrediction]:
    """Join images (k, 1, h, w) with the predictions at the k chosen indices."""
    classes, margins = predictions.prediction[chosen], predictions.margin[chosen]
    rows = zip(images, classes.tolist(), margins.tolist(), strict=True)
    return [ImagePrediction(image[0], prediction, margin) for image, prediction, margin in rows]


def _select(images: Mapping[Key, list[ImagePrediction]], i: int) -> Mapping[Key, ImagePrediction]:
    return MappingProxyType({name: each[i] for name, each in images.items()})
