"""The importance of features over many samples, and which of them are shown.

Takes numbers by sample and feature. Gives records. Must not know figures, pages or files.

    n  samples      f  features
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..errors import InputError
from ..support.estimates import Estimate, bootstrap_means


@dataclass(frozen=True)
class FeatureImportance:
    """How much a feature counts over many samples.

    Attributes:
        name: Its name.
        mean_absolute: Mean of |R|: how much it counts, whichever way.
        mean: Mean of R: which way it counts, where it is the same for most samples.
    """

    name: str
    mean_absolute: Estimate
    mean: Estimate


@dataclass(frozen=True, eq=False)
class SampleRelevance:
    """The relevance of features in each sample, the most important feature first.

    Attributes:
        relevance: (n, f), float64.
        values: What the features were, (n, f); NaN for several columns, which have no one value.
    """

    relevance: Tensor
    values: Tensor


def rank_features(
    names: Sequence[str], relevance: Tensor, values: Tensor
) -> tuple[tuple[FeatureImportance, ...], SampleRelevance]:
    """Estimate the importance of each feature, and sort features by their mean |R|.

    Args:
        names: Names of the features.
        relevance: (n, f), float64.
        values: (n, f).
    """
    order = relevance.abs().mean(0).argsort(descending=True, stable=True)
    sorted_relevance = relevance[:, order]
    columns = list(sorted_relevance.unbind(1))
    estimates = bootstrap_means([*(one.abs() for one in columns), *columns])
    means = zip(estimates[: len(columns)], estimates[len(columns) :], strict=True)
    ranked = [
        FeatureImportance(names[k], size, signed)
        for k, (size, signed) in zip(order.tolist(), means, strict=True)
    ]
    return tuple(ranked), SampleRelevance(sorted_relevance, values[:, order])


def check_features(features: object) -> None:
    """Raise InputError unless so many features can be drawn."""
    if not isinstance(features, int) or isinstance(features, bool) or features < 1:
        given = f"features is {features!r}"
        raise InputError(given, "how many are drawn, 1 at least", "write features=12")
