"""Relevance of samples for networks that have not learned them, feature by feature.

Takes prepared data. Trains a network on the other folds of each fold, and explains its
samples. Must not know what relevance is used for.

n  samples      d  features      k  outputs
"""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import AmplificationWarning
from ...explanation.explainer import Explainer
from ...search.folds import Fold, make_folds
from ...search.model import FittedModel, TrainingRecipe, train_model
from ...search.prepared import PreparedData, Rows
from .features import Features

# That of networks without convolutions by default. Rules that share relevance out evenly in the
# first layer, as those for pictures do, would make all channels equal.
_RECIPE = "epsilon"


@dataclass(frozen=True)
class HeldOutModel:
    """A network with samples that it has not learned.

    Attributes:
        model: The model.
        fold: What it was trained on, and the others.
    """

    model: FittedModel
    fold: Fold


@dataclass(frozen=True)
class HeldOutRelevance:
    """Relevance of samples for networks that have not learned them.

    Attributes:
        names: Of the features, d of them.
        relevance: Of each feature for the true class against the others, for the labels that hold
            against those that do not, or for the value, (n, d).
        rows: Numbers of the samples, (n,).
        fold: Number of the fold that each sample is of, (n,).
    """

    names: tuple[str, ...]
    relevance: Tensor
    rows: Rows
    fold: NDArray[np.int64]


def held_out_models(
    data: PreparedData, features: Features, rows: Rows, *, folds: int, seed: int
) -> Iterator[HeldOutModel]:
    """Train a network on the others of each fold.

    Args:
        data: The samples.
        features: Their features, which say what network it is.
        rows: Numbers of the samples that are divided into folds.
        folds: How many networks are trained.
        seed: Of the folds and of all training.
    """
    family = features.ranking_family()
    for number, fold in enumerate(make_folds(data.dataset, rows, folds, seed)):
        settings = features.settings(data, family, len(fold.train))
        recipe = TrainingRecipe(family, settings, seed + number)
        model = train_model(data, recipe, fold.train, None, seconds=float("inf"))
        networks = tuple(map(features.finished, model.networks))
        yield HeldOutModel(replace(model, networks=networks), fold)


def held_out_relevance(
    data: PreparedData, features: Features, models: Sequence[HeldOutModel]
) -> HeldOutRelevance:
    """Explain each sample by the network that was trained without it.

    Args:
        data: The samples.
        features: Their features, to whose entries relevance is summed.
        models: Networks with the samples that each explains.
    """
    explained: _Explained | None = None
    parts = []
    for one in models:
        explained = _Explained.of(one.model, explained)
        parts.append(_by_feature(data, one, explained, features))
    sizes = [len(one.fold.validation) for one in models]
    rows = np.concatenate([one.fold.validation for one in models])
    numbers = np.repeat(np.arange(len(models)), sizes)
    return HeldOutRelevance(features.names, torch.cat(parts), rows, numbers)


@dataclass(frozen=True)
class _Explained:
    """A copy of a network with its explainer; weights of later folds are put into it, too."""

    network: nn.Module
    explainer: Explainer

    @classmethod
    def of(cls, model: FittedModel, before: "_Explained | None") -> "_Explained":
        """Return a model's network to explain: the one before, if it differs by its weights alone.

        Args:
            model: The model of a fold.
            before: What was explained in the fold before; its weights are changed.
        """
        (network,) = model.networks
        weights = network.state_dict()
        if before is not None and _shapes(before.network.state_dict()) == _shapes(weights):
            before.network.load_state_dict(weights)
            return before
        own = copy.deepcopy(network)
        return cls(own, Explainer(own, recipe=_RECIPE))


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}


def _by_feature(
    data: PreparedData, one: HeldOutModel, explained: _Explained, features: Features
) -> Tensor:
    """Explain the samples of a fold, and sum the relevance of each feature's entries, (n, d)."""
    x = data.inputs(one.model.preparation, one.fold.validation)
    target = _target(data, one.fold.validation, explained.network(x).detach())
    with warnings.catch_warnings():
        # of a sample whose classes are nearly equal the score is near 0, its parts are not
        warnings.simplefilter("ignore", AmplificationWarning)
        relevance = explained.explainer(x, target).relevance.detach()
    return sum_entries(relevance, features.entries(one.model.preparation, x), len(features.names))


def sum_entries(relevance: Tensor, entries: Tensor, count: int) -> Tensor:
    """Sum relevance (n, *shape) over the entries of each feature, (n, d).

    Args:
        relevance: Of each entry.
        entries: The feature of each, -1 for none, (e,); or of each of its p parts, (p, n, e).
        count: Number d of features.
    """
    flat = relevance.flatten(1)
    parts = entries.where(entries >= 0, count).expand(*(entries.shape[:-2] or (1,)), *flat.shape)
    summed = flat.new_zeros(len(flat), count + 1)
    for part in parts:
        summed.scatter_add_(1, part, flat / len(parts))
    return summed[:, :count]


def _target(data: PreparedData, rows: Rows, outputs: Tensor) -> Any:
    """Return what is explained: the true class against the strongest other one, or the value.

    Of labels, those that hold against those that do not.
    """
    true = data.targets(rows)
    if data.dataset.target.task == "labels":
        return lambda scores: ((2 * true - 1) * scores).sum(1)
    if data.dataset.target.task == "value":
        return None
    others = outputs.scatter(1, true[:, None], -torch.inf)
    return true, others.argmax(1)
