"""Chooses the samples that a report explains: some of each class, and the most certain mistakes.

Takes what the model gave for a part of the data. Gives places in it, by group. Must not know
explanations.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..bundles.content import BundleContent, PartOutputs
from .sections import own_units

OF_CLASS = 3  # samples that are shown of each class
MOST_GROUPS = 12  # classes or labels of which samples are shown
MISTAKES = 8


@dataclass(frozen=True)
class Chosen:
    """Samples that are explained for what is predicted.

    Attributes:
        groups: Name of a class or label -> places of its samples in the part.
        targets: Class or label that is explained, by place; empty of a value.
    """

    groups: Mapping[str, list[int]]
    targets: Mapping[int, int]

    @property
    def places(self) -> list[int]:
        """Places of all samples, each once, in the order of their groups."""
        return list(dict.fromkeys(place for group in self.groups.values() for place in group))


def choose_shown(content: BundleContent, outputs: PartOutputs) -> Chosen:
    """Choose samples of each class that are predicted rightly; of a value some of all sizes."""
    given, names = outputs.outputs, content.target_names
    if content.task == "value":
        order = own_units(content, given).argsort()
        steps = torch.linspace(0, len(order) - 1, min(len(order), 2 * OF_CLASS)).round().long()
        return Chosen({f"{names[0]}, from small to large": order[steps].tolist()}, {})
    groups: dict[str, list[int]] = {}
    targets: dict[int, int] = {}
    for k, name in enumerate(names[:MOST_GROUPS]):
        places = _right(content, outputs, k).nonzero().flatten().tolist()
        taken = [i for i in places if i not in targets][:OF_CLASS]
        targets |= dict.fromkeys(taken, k)
        if taken:
            groups[name] = taken
    return Chosen(groups, targets)


def _right(content: BundleContent, outputs: PartOutputs, k: int) -> Tensor:
    """Tell which samples have a class or label that is predicted, (n,)."""
    if content.task == "labels":
        return (outputs.outputs[:, k] > 0) & (outputs.targets[:, k] > 0.5)
    return (outputs.outputs.argmax(1) == k) & (outputs.targets == k)


def choose_mistakes(content: BundleContent, outputs: PartOutputs) -> list[int]:
    """Choose the mistakes of which the model is most certain; of a value the largest errors."""
    given, true = outputs.outputs, outputs.targets
    if content.task == "value":
        error = (own_units(content, given) - true.double().flatten()).abs()
        return error.argsort(descending=True)[:MISTAKES].tolist()
    if content.task == "labels":
        wrong = ((given > 0) != (true > 0.5)).float() * given.abs()
        worst = wrong.amax(1)
    else:
        wrong_class = given.argmax(1) != true
        worst = wrong_class * given.softmax(1).amax(1)
    order = worst.argsort(descending=True, stable=True)[:MISTAKES]
    return [i for i in order.tolist() if worst[i] > 0]
