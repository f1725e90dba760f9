"""Relevance that models of the same data share: how sparse it is, and how alike that of two is.

Takes bundles and samples. Gives maps of relevance that know what they are of. Padding counts for
nothing. Must not know how good models are.

    n  samples      d  parts of a padded sample      m  parts of a sample, without padding
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..bundles.bundle import Bundle
from ..bundles.naming import padded_tokens
from ..data.dataset import SampleData
from ..evaluate import sparseness
from ..evaluate.maps.similarity import average_ranks, cosine
from ..plot.tables import Columns
from ..support.estimates import Estimate, bootstrap_mean


@dataclass(frozen=True)
class RelevanceMaps:
    """Relevance of what models of the same data share, for the true class of each sample.

    Attributes:
        relevance: (n, columns) of a table; (n, height, width) of pictures; (n, channels, time) of
            series without their mask; (n, tokens) of texts. 0 of padding.
        there: What is no padding, of the same shape.
        parts: Names of the columns, or the tokens of each text; empty of pixels and steps, which
            have their places.
    """

    relevance: Tensor
    there: Tensor
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Likeness:
    """How alike the relevance of two models is, in the mean of the samples: 1 equal, 0 unrelated.

    Attributes:
        spearman: Rank correlation; None where no sample has one, or relevance is of other things,
            as of other tokens.
        cosine: Cosine similarity; None likewise.
    """

    spearman: float | None
    cosine: float | None


def relevance_maps(bundle: Bundle, samples: SampleData, targets: Tensor) -> RelevanceMaps:
    """Explain samples.

    Args:
        bundle: The model.
        samples: n samples, as a data set holds them.
        targets: True classes, (n,), which are explained; of labels and values the prediction is.
    """
    x = bundle.prepare_samples(samples)
    target: Any = targets if bundle.task == "classes" else None
    relevance = bundle.explainer(x, target).relevance.detach()
    preparation: Any = bundle.preparation
    if bundle.modality == "table":
        columns = preparation.columns
        named = Columns.of(x.shape[1:], columns.names, columns.groups)
        labels, sums = named.summed(relevance)
        order = _order(labels, list(bundle.content.columns))
        names = tuple(str(labels[place]) for place in order)
        return RelevanceMaps(sums[:, order], torch.ones_like(sums[:, order]), names)
    if bundle.modality == "text":
        there = (x != 0).to(relevance.dtype)
        return RelevanceMaps(relevance * there, there, padded_tokens(preparation, samples))
    if bundle.modality == "series" and bundle.content.members[0].facts.masked:
        there = (x[:, -1:] != 0).to(relevance.dtype).expand_as(relevance[:, :-1])
        return RelevanceMaps(relevance[:, :-1] * there, there, ())
    shown = relevance.sum(1) if bundle.modality == "picture" else relevance
    return RelevanceMaps(shown, torch.ones_like(shown), ())


def _order(labels: Sequence[int | str], columns: Sequence[str]) -> list[int]:
    """Return the places of columns in the order of the data; those without a feature are none."""
    known = {str(label): place for place, label in enumerate(labels)}
    return [known[name] for name in columns if name in known]


def map_sparseness(maps: RelevanceMaps) -> Estimate | None:
    """Return the mean Gini index of |relevance| without padding; None where all of it is zero.

    G_m = (d G_d - (d - m)) / m, as the d - m zeros of padding come first among the sizes.
    """
    d, m = maps.there[0].numel(), maps.there.flatten(1).sum(1).double().cpu()
    gini = (d * sparseness(maps.relevance) - (d - m)) / m
    known = gini[gini.isfinite()]
    return bootstrap_mean(known) if len(known) else None


def likeness(first: RelevanceMaps, second: RelevanceMaps) -> Likeness:
    """Compare the relevance of two models on the same samples, without padding."""
    if first.parts != second.parts or first.relevance.shape != second.relevance.shape:
        return Likeness(None, None)
    ranks = cosine(_centred_ranks(first), _centred_ranks(second))
    return Likeness(_mean(ranks), _mean(cosine(first.relevance, second.relevance)))


def _centred_ranks(maps: RelevanceMaps) -> Tensor:
    """Return the rank of each part minus their mean, 0 of padding: (n, d)."""
    there = maps.there.flatten(1)
    padding, m = (1 - there).sum(1, keepdim=True), there.sum(1, keepdim=True)
    last = maps.relevance.flatten(1).masked_fill(there == 0, -torch.inf)  # ranks 1 to d - m
    return (average_ranks(last) - padding - (m + 1) / 2) * there


def _mean(values: Tensor) -> float | None:
    finite = values[torch.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
