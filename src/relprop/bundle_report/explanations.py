"""The parts of a report that explain: examples of each class, mistakes, overall importance.

Takes a bundle, its data, and what it gave for them. Gives sections of HTML, fewer where time is
short. Must not know how pages are laid out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..bundles.bundle import Bundle
from ..bundles.content import PartOutputs
from ..bundles.naming import labels_text
from ..data.dataset import Dataset, SampleData
from ..data.words import counted
from ..errors import RelpropError
from ..explanation.html import explanation_cards
from ..explanation.result import Explanation
from ..plot.html import Card, fragment, small_image_url
from ..plot.style import MapStyle
from ..support.number_text import number_text
from .choice import MOST_GROUPS, Chosen, choose_mistakes, choose_shown
from .sections import ReportSection, own_units
from .time_limit import TimeLimit

_OVERALL = 200  # rows of which overall importance is the mean
_OPTIONS: dict[str, Any] = {"clip": 1.0}
_STYLE = MapStyle(clip=1.0)
_ORIGIN = (
    "Relevance is measured from the average training row: a feature at its mean gets none, and a "
    "column that changes nothing about none."
)


@dataclass(frozen=True)
class Explained:
    """What a report explains.

    Attributes:
        bundle: The model.
        dataset: The data.
        part: Name of the part, as it is written.
        outputs: What the model gave for the part.
    """

    bundle: Bundle
    dataset: Dataset
    part: str
    outputs: PartOutputs

    def samples(self, places: Sequence[int]) -> SampleData:
        """Return samples by their places in the part."""
        return self.dataset.take(self.numbers(places))

    def numbers(self, places: Sequence[int]) -> Any:
        """Return the numbers of samples in the data set."""
        return self.outputs.rows.numpy()[np.asarray(places, dtype=np.int64)]

    def explain(self, places: Sequence[int], target: Any) -> Explanation:
        """Explain samples by their places; relevance has the names of the data."""
        samples = self.samples(places)
        explained = self.bundle.explainer(self.bundle.prepare_samples(samples), target)
        return self.bundle.named(explained, samples)

    def key(self, place: int) -> str:
        """Name a sample."""
        return self.dataset.keys[int(self.outputs.rows[place])]

    def truth(self, place: int) -> str:
        """Write what a sample is."""
        target = self.outputs.targets[place]
        return self._named(target > 0.5 if self.bundle.task == "labels" else target)

    def guess(self, place: int) -> str:
        """Write what is predicted of a sample."""
        given = self.outputs.outputs[place]
        if self.bundle.task == "value":
            return self._named(own_units(self.bundle.content, given)[0])
        return self._named(given > 0 if self.bundle.task == "labels" else given.argmax())

    def label_text(self, place: int, label: int) -> str:
        """Write a label of a sample with its probability."""
        probability = float(self.outputs.outputs[place, label].sigmoid())
        return f"{self.bundle.classes[label]}: {probability:.1%}"

    def _named(self, target: Tensor) -> str:
        if self.bundle.task == "value":
            return number_text(float(target), 5)
        names = self.bundle.classes
        if self.bundle.task == "classes":
            return names[int(target)]
        return labels_text(target.tolist(), names)


def example_section(what: Explained, clock: TimeLimit) -> ReportSection | None:
    """Show examples of each class; None where there is no time, or nothing is right."""
    chosen = _affordable(what, choose_shown(what.bundle.content, what.outputs), clock)
    if not chosen.places:
        return None
    cards = _cards(what, chosen.places, _targets(chosen))
    by_place = dict(zip(chosen.places, cards, strict=True))
    parts = [
        f"<h3>{escape(name)}</h3>{fragment([by_place[i] for i in of], _STYLE, 0)}"
        for name, of in chosen.groups.items()
    ]
    title = {
        "classes": "What each class is recognised by",
        "labels": "What each label is recognised by",
        "value": f"What {what.bundle.classes[0]} is read from",
    }[what.bundle.task]
    origin = f" {_ORIGIN}" if what.bundle.modality == "table" else ""
    hint = f"Red speaks for what is explained, blue against it.{origin}{_remark(what, chosen)}"
    return ReportSection(title, hint, "".join(parts))


def _remark(what: Explained, chosen: Chosen) -> str:
    """Say what values are measured from, or which classes are left out."""
    if what.bundle.task == "value":
        mean = number_text(what.bundle.content.scale.mean, 5)
        return (
            f" Relevance adds up to how far the prediction is from {mean}, the mean, but for "
            "the part that biases of the network take up."
        )
    names = what.bundle.classes
    missing = [name for name in names[:MOST_GROUPS] if name not in chosen.groups]
    more = len(names) - MOST_GROUPS
    parts = [f" {counted(more, 'more is', 'more are')} not shown."] if more > 0 else []
    if missing:
        parts.insert(0, f" Without a sample that is predicted rightly: {', '.join(missing)}.")
    return "".join(parts)


def _affordable(what: Explained, chosen: Chosen, clock: TimeLimit) -> Chosen:
    """Leave out samples that there is no time for, the last ones of each group first."""
    if not clock.is_limited:
        return chosen
    first = chosen.places[0] if chosen.places else 0  # the other parts ask for its time as well
    target = _targets(Chosen({"": [first]}, chosen.targets))
    with clock.measured("capture"):
        what.explain([first], target)
    with clock.measured("sample"):
        what.explain([first], target)
    afforded = clock.afforded(len(chosen.places), "sample", share=0.3)
    each = max(1, afforded // max(1, len(chosen.groups)))
    if afforded < 1:
        return Chosen({}, {})
    groups = {name: of[:each] for name, of in list(chosen.groups.items())[:afforded]}
    return Chosen(groups, chosen.targets)


def _targets(chosen: Chosen) -> Tensor | None:
    """Return the class that is explained of each sample; None of a value."""
    return torch.tensor([chosen.targets[i] for i in chosen.places]) if chosen.targets else None


def _cards(what: Explained, places: Sequence[int], target: Any) -> list[Card]:
    cards = explanation_cards(what.explain(places, target), _OPTIONS, small_image_url)
    if what.bundle.task == "labels":  # else the title is the most probable one, explained or not
        cards = [
            replace(card, title=what.label_text(i, k))
            for i, k, card in zip(places, target.tolist(), cards, strict=True)
        ]
    return [
        replace(card, name=what.key(i), note=f"true: {what.truth(i)}; predicted: {what.guess(i)}")
        for i, card in zip(places, cards, strict=True)
    ]


def mistake_section(what: Explained, clock: TimeLimit) -> ReportSection | None:
    """Show mistakes, and what made the difference; None where there are none, or no time."""
    places = choose_mistakes(what.bundle.content, what.outputs)
    places = places[: clock.afforded(len(places), "sample", share=0.4)]
    if not places:
        return None
    cards = _cards(what, places, _mistaken(what, places))
    hint = {
        "classes": "The mistakes of which the model is most certain. Explained is the difference "
        "of two scores: red speaks for the predicted class, blue for the true one.",
        "labels": "The mistakes of which the model is most certain. Explained is the label that "
        "is wrong: red speaks for it, blue against it.",
        "value": "The predictions that are off the most.",
    }[what.bundle.task]
    return ReportSection("What was mistaken, and why", hint, fragment(cards, _STYLE, 0))


def _mistaken(what: Explained, places: Sequence[int]) -> Any:
    """Return what is explained of mistakes: predicted against true class, or the wrong label."""
    given, true = what.outputs.outputs[places], what.outputs.targets[places]
    if what.bundle.task == "classes":
        return given.argmax(1), true
    if what.bundle.task == "labels":
        return (((given > 0) != (true > 0.5)).float() * given.abs()).argmax(1)
    return None


def importance_section(what: Explained, clock: TimeLimit) -> ReportSection | None:
    """Show how much each column of a table counts; None of anything else, or without time."""
    wanted = min(_OVERALL, len(what.outputs.rows))
    count = clock.afforded(wanted, "sample", share=0.3)
    if what.bundle.modality != "table" or not count:
        return None
    places = np.linspace(0, len(what.outputs.rows) - 1, count).round().astype(int).tolist()
    explained = what.explain(places, None if what.bundle.task == "value" else "predicted")
    try:
        html = explained.overall()._repr_html_()
    except RelpropError:  # more columns than a ranking of single ones has a meaning for
        return None
    hint = (
        "|R| is how much a column counts, whichever way; mean R says which way, where it is the "
        f"same for most rows. All that a column became is summed in each row. {_ORIGIN}"
    )
    return ReportSection("What counts overall", hint, html)
