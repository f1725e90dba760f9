"""Sensitivity: how much relevance changes when noise too small to matter is added to the input.

n  samples      m  draws of noise
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ..statistics.estimates import told
from .call_method import Question, RelevanceFunction, question, relevance_of


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """The relative change of each sample's relevance under each draw of noise.

    radius   of the noise
    changes  (m, n); NaN where the relevance without noise is zero everywhere
    target   (n,) the class whose relevance it is
    """

    radius: float
    changes: Tensor
    target: Tensor

    @property
    def maximum(self) -> Tensor:
        """The largest change of each sample, (n,): max-sensitivity, estimated from below."""
        return self.changes.amax(0)

    @property
    def mean(self) -> Tensor:
        """The mean change of each sample, (n,): average sensitivity."""
        return self.changes.mean(0)

    def __repr__(self) -> str:
        """Means over samples, with 95 % intervals."""
        draws, n = self.changes.shape
        head = f"noise of radius {self.radius:g}, {draws} draws, {n} samples"
        return f"{head}\nmaximum  {told(self.maximum)}\nmean     {told(self.mean)}"


def sensitivity(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: RelevanceFunction,
    *,
    radius: float,
    draws: int = 10,
    target: int | Tensor | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> Sensitivity:
    """|R(x + u) - R(x)| / |R(x)|, Euclidean, u uniform in [-radius, radius]^d.

    relevance  a function (model, x, target) -> relevance
    radius     in the units of x
    target     None: what the model predicts of x; a class; a class for each sample. It stays the
               same under noise
    Noise is drawn for all samples at once: the size of batches changes no number.
    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations"; divided by
    |R(x)|, so that methods of different scale compare.
    """
    _check(radius, draws)
    asked = question(model, x, relevance, target, batch_size)
    if not asked.x.is_floating_point():
        raise InputError(
            f"noise on an input of dtype {asked.x.dtype}",
            "floating point numbers",
            "explain the embeddings of token ids instead",
        )
    before, generator = relevance_of(asked), torch.Generator().manual_seed(seed)
    noisy = _noisy(asked, radius, draws, generator)
    changes = torch.cat([_changes(before, relevance_of(part)) for part in noisy])
    return Sensitivity(radius, changes.cpu(), asked.target.cpu())


def _noisy(
    asked: Question, radius: float, draws: int, generator: torch.Generator
) -> Iterator[Question]:
    """The question for all samples with noise; several draws at once where samples are few."""
    x, name = asked.x, asked.inputs.explained[0]
    together = max(1, asked.batch_size // len(x))
    for first in range(0, draws, together):
        k = min(together, draws - first)
        noise = [torch.rand(x.shape, generator=generator, dtype=torch.float64) for _ in range(k)]
        moved = torch.cat([x + (radius * (2 * u - 1)).to(x) for u in noise])  # (k * n, *features)
        repeated = asked.inputs.per_sample(lambda t, k=k: torch.cat([t] * k))  # type: ignore[misc]
        inputs = replace(repeated, values={**repeated.values, name: moved})
        yield replace(asked, inputs=inputs, target=asked.target.repeat(k))


def _changes(before: Tensor, after: Tensor) -> Tensor:
    """Relative changes, (k, n), from relevance (n, *features) to (k * n, *features)."""
    if after.shape[1:] != before.shape[1:]:
        raise InputError(
            f"relevance of shape {tuple(after.shape)}, and {tuple(before.shape)} before",
            "the same shape for each sample",
            "return relevance of one shape at every call",
        )
    start, moved = before.flatten(1).double(), after.flatten(1).double()
    change: Tensor = torch.linalg.vector_norm(moved.reshape(-1, *start.shape) - start, dim=2)
    size: Tensor = torch.linalg.vector_norm(start, dim=1)
    return (change / size).masked_fill(size == 0, math.nan)


def _check(radius: object, draws: object) -> None:
    number = isinstance(radius, (int, float)) and not isinstance(radius, bool)
    if not number or not 0 < radius < math.inf:  # type: ignore[operator]
        raise InputError(f"radius={radius!r}", "a number > 0, in the units of x", "radius=0.02")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError(f"draws={draws!r}", "a whole number > 0", "draws=10")
