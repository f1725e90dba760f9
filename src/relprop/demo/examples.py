"""A handful of digits to look at, chosen from the rule table by a rule that is stated.

Takes the images and a rule table. Gives a record for each digit: the pictures that the model was
given, what it read in them, and heatmaps by recipe and by network. Must not know how to draw.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor

from ..data import Digits
from ..evaluate import Order, Predictions, predict, remove
from ..explanation.explainer import Explainer
from .experiment import RuleTable, explain_all

Key = TypeVar("Key", bound=str)


@dataclass(frozen=True)
class Picture:
    """A picture or a heatmap (h, w), and what a model reads in the picture."""

    pixels: Tensor
    prediction: int
    margin: float


@dataclass(frozen=True)
class Example:
    """One digit, before and after each removal by the main recipe."""

    index: int  # among the digits of the run, from 0
    label: int
    flips: bool  # misread where its most relevant pixels went, and only there
    original: Picture
    after: Mapping[Order, Picture]
    by_recipe: Mapping[str, Picture]  # heatmaps of the one model
    by_network: Mapping[str, Picture]  # heatmaps of the main recipe


def choose_examples(table: RuleTable, labels: Tensor, count: int = 5) -> tuple[int, ...]:
    """Indices of the digits to show, of different classes where there are enough.

    First the first digit in the data's order that flips (see `flipped`), then the first that holds:
    read correctly untouched and after each removal. Where there is none, its place is not filled.
    Then the first correctly read digit of each class not shown yet, whatever becomes of it.
    """
    untouched = table.before.prediction == labels
    holds = untouched & ~torch.stack(list(_misread(table, labels).values())).any(0)
    shown: dict[int, int] = {}
    for group, more in ((flipped(table, labels), 1), (holds, 1), (untouched, count)):
        size = min(count, len(shown) + more)
        for index in group.nonzero().flatten().tolist():
            if len(shown) == size:
                break
            shown.setdefault(int(labels[index]), index)
    return tuple(shown.values())


def flipped(table: RuleTable, labels: Tensor) -> Tensor:
    """(n,) True where only the removal of the most relevant pixels has the digit misread."""
    misread = _misread(table, labels)
    untouched = table.before.prediction == labels
    return untouched & misread["morf"] & ~misread["lerf"] & ~misread["random"]


def _misread(table: RuleTable, labels: Tensor) -> dict[Order, Tensor]:
    return {order: trial.predictions.prediction != labels for order, trial in table.trials.items()}


def examples(
    digits: Digits,
    table: RuleTable,
    recipes: Mapping[str, Explainer],
    networks: Mapping[str, Explainer],
    *,
    count: int = 5,
) -> tuple[Example, ...]:
    """The chosen digits with their pictures, readings and heatmaps; none if all are misread.

    recipes   recipe -> explainer of the one model the table is about
    networks  network -> its explainer
    """
    chosen = list(choose_examples(table, digits.labels, count))
    if not chosen:
        return ()
    images, flips = digits.images[chosen], flipped(table, digits.labels)
    original = _pictures(images, table.before, chosen)
    after = {
        order: _pictures(
            remove(images, trial.removed[chosen], table.count), trial.predictions, chosen
        )
        for order, trial in table.trials.items()
    }
    by_recipe = {name: _heatmaps(each, images) for name, each in recipes.items()}
    by_network = {name: _heatmaps(each, images) for name, each in networks.items()}
    return tuple(
        Example(
            index=index,
            label=int(digits.labels[index]),
            flips=bool(flips[index]),
            original=original[i],
            after=_pick(after, i),
            by_recipe=_pick(by_recipe, i),
            by_network=_pick(by_network, i),
        )
        for i, index in enumerate(chosen)
    )


def _pictures(images: Tensor, predictions: Predictions, chosen: list[int]) -> list[Picture]:
    readings = zip(
        predictions.prediction[chosen].tolist(),
        predictions.margin[chosen].tolist(),
        strict=True,
    )
    return [Picture(image[0], *found) for image, found in zip(images, readings, strict=True)]


def _heatmaps(explainer: Explainer, images: Tensor) -> list[Picture]:
    maps, readings = explain_all(explainer, images), predict(explainer.model, images)
    return _pictures(maps, readings, list(range(len(images))))


def _pick(pictures: Mapping[Key, list[Picture]], i: int) -> Mapping[Key, Picture]:
    return MappingProxyType({name: each[i] for name, each in pictures.items()})
