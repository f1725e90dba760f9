"""What a bundle holds of a search: members, leaderboard, curves, metrics.

Takes models and the data set. Gives a `BundleContent`. Must not know files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from ..bundles.content import (
    BundleContent,
    CurvePoint,
    LeaderboardRow,
    Member,
    PartOutputs,
    SavedPreparation,
)
from ..data.dataset import Dataset, Part
from ..networks.texts_encoder import without_folder
from .model import FittedModel
from .prepared import PreparedData, Rows

_SCORE_NAMES = {"classes": "accuracy", "labels": "mean average precision", "value": "R^2"}
_PACKAGES = ("relprop", "torch", "numpy", "lightning", "optuna", "scikit-learn", "pandas")
_PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Origin:
    """Where a model is from.

    Attributes:
        dataset: The data set.
        fingerprints: "data" and "split" -> their SHA256.
        options: How the data was read, beyond the defaults.
        seed: Random seed.
        budget: Seconds that were asked for.
    """

    dataset: Dataset
    fingerprints: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    budget: float | None = None

    @property
    def score_name(self) -> str:
        """Name of what is maximised."""
        return _SCORE_NAMES[self.dataset.target.task]


def make_content(
    origin: Origin,
    data: PreparedData,
    models: Sequence[FittedModel],
    leaderboard: tuple[LeaderboardRow, ...],
    *,
    validation: tuple[Rows, Tensor] | None = None,
    seconds: float,
) -> BundleContent:
    """Put together what is known of a model.

    Args:
        origin: Where it is from.
        data: The samples.
        models: One model, or several whose outputs are averaged; they share a preparation.
        leaderboard: The trials, the best first.
        validation: Numbers of the validation samples, and what the model gives for them.
        seconds: How long the search took so far.
    """
    dataset = origin.dataset
    plain, tensors = models[0].preparation.state()
    return BundleContent(
        modality=dataset.modality,
        task=dataset.target.task,
        target_names=dataset.target.names,
        members=tuple(member for model in models for member in _members(model)),
        preparation=SavedPreparation(plain, tensors),
        scale=data.scale,
        columns=dataset.columns,
        source=dataset.source,
        options=origin.options,
        findings=dataset.findings,
        warnings=(*dataset.warnings, *dict.fromkeys(model.note for model in models if model.note)),
        counts={part: len(dataset.rows(part)) for part in _PARTS},
        fingerprints=origin.fingerprints,
        seed=origin.seed,
        versions=_versions(),
        score_name=origin.score_name,
        leaderboard=leaderboard,
        curves=_curves(models),
        budget=origin.budget,
        seconds=seconds,
        outputs={"validation": part_outputs(dataset, *validation)} if validation else {},
    )


def add_to_average(content: BundleContent, others: Sequence[BundleContent]) -> BundleContent:
    """Return a bundle whose model averages its own members and those of others."""
    contents, curves, members = [content, *others], list[CurvePoint](), list[Member]()
    for one in contents:
        curves += [replace(p, member=p.member + len(members)) for p in one.curves]
        members += one.members
    warnings = dict.fromkeys(warning for one in contents for warning in one.warnings)
    return replace(content, members=tuple(members), curves=tuple(curves), warnings=tuple(warnings))


def same_preparation(one: BundleContent, other: BundleContent) -> bool:
    """Tell whether two models take samples prepared alike, so that they can be averaged."""
    a, b = one.preparation, other.preparation
    if a.state != b.state or a.tensors.keys() != b.tensors.keys():
        return False
    return all(torch.equal(a.tensors[name], b.tensors[name]) for name in a.tensors)


def part_outputs(dataset: Dataset, rows: Rows, outputs: Tensor) -> PartOutputs:
    """Return what a model gave for some samples, beside what they are."""
    targets = torch.tensor(dataset.target.values[rows])
    return PartOutputs(torch.tensor(rows), outputs, targets)


def leaderboard_row(number: int, model: FittedModel) -> LeaderboardRow:
    """Return the row of a trial that gave a model."""
    return LeaderboardRow(
        number,
        model.family,
        dict(model.settings),
        model.state,
        model.score,
        model.epochs,
        model.seconds,
        model.parameters or None,
        model.note,
    )


def _members(model: FittedModel) -> list[Member]:
    settings, facts = dict(model.settings), without_folder(model.facts)
    return [
        Member(model.family, settings, facts, network.state_dict()) for network in model.networks
    ]


def _curves(models: Sequence[FittedModel]) -> tuple[CurvePoint, ...]:
    checks = [checks for model in models for checks in model.checks]
    return tuple(
        CurvePoint(member=number, **asdict(check))
        for number, of_member in enumerate(checks)
        for check in of_member
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
