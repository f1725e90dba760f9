"""Relevance of samples for networks that have not learned them, column by column.

Takes prepared data of a table. Trains a network on the other folds of each fold, and explains its
samples. Must not know what relevance is used for.

n  samples      d  columns      k  outputs
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import AmplificationWarning
from ...explanation.explainer import Explainer
from ...networks.family import NetworkFamily, Settings
from ...networks.registry import find_family
from ...plot.tables import Columns
from ...search.folds import make_folds
from ...search.model import FittedModel, TrainingRecipe, train_model
from ...search.prepared import PreparedData, Rows

_STEPS = 600  # of a training on few samples, at least
_LONGEST = 200  # epochs


@dataclass(frozen=True)
class HeldOutRelevance:
    """Relevance of samples for networks that have not learned them.

    Attributes:
        columns: Names of the columns, d of them.
        relevance: Of each column for the true class against the others, or for the value, (n, d).
        rows: Numbers of the samples, (n,).
        fold: Number of the fold that each sample is of, (n,).
    """

    columns: tuple[str, ...]
    relevance: Tensor
    rows: Rows
    fold: NDArray[np.int64]


def held_out_relevance(
    data: PreparedData, rows: Rows, *, folds: int, seed: int
) -> HeldOutRelevance:
    """Explain each sample by a network that was trained without it.

    Args:
        data: A table.
        rows: Numbers of the samples.
        folds: How many networks are trained; each explains the samples that it was trained without.
        seed: Of the folds and of all training.
    """
    family = find_family("table", "mlp")
    columns = tuple(data.dataset.columns)
    explained: _Explained | None = None
    parts, places, numbers = [], [], []
    for number, fold in enumerate(make_folds(data.dataset, rows, folds, seed)):
        settings = network_settings(data, family, len(fold.train))
        recipe = TrainingRecipe(family, settings, seed + number)
        model = train_model(data, recipe, fold.train, None, seconds=float("inf"))
        explained = _Explained.of(model, explained)
        parts.append(_by_column(data, model, explained, fold.validation, columns))
        places.append(fold.validation)
        numbers.append(np.full(len(fold.validation), number))
    return HeldOutRelevance(
        columns, torch.cat(parts), np.concatenate(places), np.concatenate(numbers)
    )


@dataclass(frozen=True)
class _Explained:
    """A network with its explainer; weights of later folds are put into it, which is captured."""

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
        return cls(network, Explainer(network))


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}


def network_settings(data: PreparedData, family: NetworkFamily, samples: int) -> Settings:
    """Return the settings of a network that is trained on some samples: none is searched.

    They are the defaults of its family without a teacher, whose knowledge would be explained, too,
    and with as many steps as small data needs.
    """
    default = family.default(data.rough_facts(samples))
    steps = -(-samples // int(default["batch"]))
    epochs = min(max(int(default["epochs"]), -(-_STEPS // steps)), _LONGEST)
    return {**default, "teacher": "none", "bins": 0, "epochs": epochs}


def _by_column(
    data: PreparedData,
    model: FittedModel,
    explained: _Explained,
    rows: Rows,
    columns: tuple[str, ...],
) -> Tensor:
    """Explain samples, and sum the relevance of the features that are of one column, (n, d)."""
    x = data.inputs(model.preparation, rows)
    target = _target(data, rows, explained.network(x).detach())
    with warnings.catch_warnings():
        # of a sample whose classes are nearly equal the score is near 0, its parts are not
        warnings.simplefilter("ignore", AmplificationWarning)
        relevance = explained.explainer(x, target).relevance.detach()
    preparation = model.preparation
    names = preparation.columns  # type: ignore[attr-defined]
    labels, sums = Columns.of(x.shape[1:], names.names, names.groups).summed(relevance)
    made = torch.zeros(len(rows), len(columns))
    for label, values in zip(labels, sums.T, strict=True):
        made[:, columns.index(str(label))] = values
    return made


def _target(data: PreparedData, rows: Rows, outputs: Tensor) -> Any:
    """Return what is explained: the true class against the strongest other one, or the value."""
    if data.dataset.target.task != "classes":
        return None
    true = data.targets(rows)
    others = outputs.scatter(1, true[:, None], -torch.inf)
    return true, others.argmax(1)
