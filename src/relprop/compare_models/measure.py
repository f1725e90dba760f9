"""Measures one model on the samples that all models of a comparison are measured on.

Takes a bundle and samples. Gives a frozen record. Must not know the other models.

    n  samples
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bundle_report.removal import measure_removal
from ..bundle_report.write import standardised, true_targets
from ..bundles.bundle import Bundle
from ..bundles.content import Metric
from ..data.dataset import Dataset, TaskKind
from ..evaluate import MethodCurves
from ..search.metrics import measure
from ..support.estimates import Estimate
from .maps import RelevanceMaps, map_sparseness, relevance_maps

TESTED: dict[TaskKind, str] = {  # what `ModelMeasures.right` is
    "classes": "right and wrong predictions",
    "labels": "the share of right labels",
    "value": "the absolute error",
}
EXPLAINED = 64  # test samples, evenly spaced, whose relevance is compared


@dataclass(frozen=True)
class ModelMeasures:
    """What was measured of a model.

    Attributes:
        name: What it is called: a family, or the folder of a bundle.
        family: Families of its networks.
        metrics: How good it is on the test part, the score first.
        right: Which test samples are predicted rightly, 1 or 0; of labels the share of right ones,
            of a value minus the absolute error; (n,), for paired tests.
        parameters: Number of weights.
        size: Bytes of the weights.
        training: Seconds that the fit took.
        microseconds: Time of a prediction of a sample, in a batch.
        curves: Removal curves of its relevance.
        sparseness: Gini index of |relevance|; None where no sample has any relevance.
        maps: Relevance of some samples.
    """

    name: str
    family: str
    metrics: tuple[Metric, ...]
    right: Tensor
    parameters: int
    size: int
    training: float
    microseconds: float
    curves: MethodCurves
    sparseness: Estimate | None
    maps: RelevanceMaps


def measure_model(
    name: str, bundle: Bundle, dataset: Dataset, rows: NDArray[np.int64]
) -> ModelMeasures:
    """Measure a model.

    Args:
        name: What it is called.
        bundle: The model.
        dataset: The data.
        rows: Numbers of the test samples.

    Raises:
        InputError: The data is of another task, or has classes that the model does not know.
    """
    targets = true_targets(bundle, dataset)[torch.from_numpy(rows)]
    prepared = bundle.prepare_samples(dataset.take(rows))
    bundle.outputs(prepared[:1])  # what the first pass alone costs is no time of a prediction
    start = time.perf_counter()
    outputs = standardised(bundle, bundle.outputs(prepared))
    seconds = time.perf_counter() - start
    places = np.linspace(0, len(rows) - 1, min(EXPLAINED, len(rows))).round().astype(int).tolist()
    maps = relevance_maps(bundle, dataset.take(rows[places]), targets[places])
    weights = [tensor for member in bundle.content.members for tensor in member.weights.values()]
    return ModelMeasures(
        name=name,
        family=", ".join(dict.fromkeys(member.family for member in bundle.content.members)),
        metrics=_metrics(bundle, outputs, targets),
        right=_right(bundle, outputs, targets),
        parameters=sum(one.numel() for one in bundle.model.parameters()),
        size=sum(one.numel() * one.element_size() for one in weights),
        training=bundle.content.seconds,
        microseconds=1e6 * seconds / len(rows),
        curves=measure_removal(bundle, prepared[places])["LRP"],
        sparseness=map_sparseness(maps),
        maps=maps,
    )


def _metrics(bundle: Bundle, outputs: Tensor, targets: Tensor) -> tuple[Metric, ...]:
    return measure(outputs, _as_trained(bundle, targets), bundle.task, bundle.content.scale)


def _as_trained(bundle: Bundle, targets: Tensor) -> Tensor:
    """Return targets as networks learn them: a value standardised, (n, 1)."""
    if bundle.task != "value":
        return targets
    scale = bundle.content.scale
    return ((targets - scale.mean) / scale.std).float()[:, None]


def _right(bundle: Bundle, outputs: Tensor, targets: Tensor) -> Tensor:
    if bundle.task == "classes":
        return (outputs.argmax(1) == targets).double()
    if bundle.task == "labels":
        return ((outputs > 0) == (targets > 0.5)).double().mean(1)
    error = (outputs - _as_trained(bundle, targets))[:, 0] * bundle.content.scale.std
    return -error.abs().double()
