"""Sensitivity: how much relevance changes when noise too small to matter is added to the input.

Takes a model and a method. Trains nothing.

n  samples      m  draws of noise
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...support.estimates import format_mean
from .call_method import MethodCall, RelevanceFunction, compute_relevance, prepare_call


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """The relative change of each sample's relevance under each draw of noise.

    Attributes:
        radius: Radius of the noise, in the units of x.
        changes: |R(x + u) - R(x)| / |R(x)|, (m, n); NaN where R(x) is zero everywhere.
        target: The explained class of each sample, (n,).
    """

    radius: float
    changes: Tensor
    target: Tensor

    @property
    def maximum(self) -> Tensor:
        """The largest change of each sample, (n,): a lower bound of max-sensitivity."""
        return self.changes.amax(0)

    @property
    def mean(self) -> Tensor:
        """The mean change of each sample, (n,): average sensitivity."""
        return self.changes.mean(0)

    def __repr__(self) -> str:
        """Show means over samples, with 95 % intervals."""
        draws, n = self.changes.shape
        head = f"noise of radius {self.radius:g}, {draws} draws, {n} samples"
        return f"{head}\nmaximum  {format_mean(self.maximum)}\nmean     {format_mean(self.mean)}"


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
    """Measure the relative change of relevance under small uniform noise on the input.

    |R(x + u) - R(x)| / |R(x)|, Euclidean norms, u uniform in [-radius, radius]^d

    Noise is drawn for all samples at once, so that `batch_size` does not change the result.

    Args:
        model: Maps a batch to scores (n, classes).
        x: Samples of floating point numbers, (n, *features), or a mapping of keyword inputs, of
            which the first gets the noise.
        relevance: A function (model, x, target) -> relevance (n, *features), such as
            `relprop.Method`.
        radius: Largest absolute noise, in the units of x.
        draws: Number of draws of noise, m.
        target: None: the class predicted for x; one class; or one class per sample (n,). The noisy
            samples are explained for the same class.
        batch_size: Samples per call of `relevance`.
        seed: Random seed of the noise.

    Returns:
        The relative change for each draw and sample.

    Raises:
        InputError: An argument does not fit, x is not floating point, or relevance is not finite
            or changes its shape.

    Example:
        >>> import torch
        >>> from relprop.evaluate import sensitivity
        >>> model, x = torch.nn.Linear(4, 3).eval(), torch.rand(5, 4)
        >>> constant = sensitivity(model, x, lambda model, x, target: x * 0 + 1, radius=0.01)
        >>> constant.maximum.tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]

    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations"; here divided by
    |R(x)|, so that methods of different scale can be compared.
    """
    _check(radius, draws)
    call = prepare_call(model, x, relevance, target, batch_size)
    if not call.x.is_floating_point():
        raise InputError(
            f"noise on an input of dtype {call.x.dtype}",
            "floating point numbers",
            "explain the embeddings of token ids instead",
        )
    before, generator = compute_relevance(call), torch.Generator().manual_seed(seed)
    noisy_calls = _add_noise(call, radius, draws, generator)
    changes = [_relative_changes(before, compute_relevance(noisy)) for noisy in noisy_calls]
    return Sensitivity(radius, torch.cat(changes).cpu(), call.target.cpu())


def _add_noise(
    call: MethodCall, radius: float, draws: int, generator: torch.Generator
) -> Iterator[MethodCall]:
    """Yield calls with noisy samples, several draws in one call where a batch holds them."""
    x, name = call.x, call.inputs.explained[0]
    draws_per_call = max(1, call.batch_size // len(x))
    for first in range(0, draws, draws_per_call):
        k = min(draws_per_call, draws - first)
        noise = [torch.rand(x.shape, generator=generator, dtype=torch.float64) for _ in range(k)]
        noisy = torch.cat([x + (radius * (2 * u - 1)).to(x) for u in noise])  # (k * n, *features)
        repeated = call.inputs.per_sample(lambda t, k=k: torch.cat([t] * k))  # type: ignore[misc]
        inputs = replace(repeated, values={**repeated.values, name: noisy})
        yield replace(call, inputs=inputs, target=call.target.repeat(k))


def _relative_changes(before: Tensor, after: Tensor) -> Tensor:
    """Compare relevance (n, *features) with that of k draws, (k * n, *features): (k, n)."""
    if after.shape[1:] != before.shape[1:]:
        raise InputError(
            f"relevance of shape {tuple(after.shape)}, and {tuple(before.shape)} before",
            "the same shape for each sample",
            "return relevance of one shape at every call",
        )
    reference, noisy = before.flatten(1).double(), after.flatten(1).double()
    distance: Tensor = torch.linalg.vector_norm(
        noisy.reshape(-1, *reference.shape) - reference, dim=2
    )
    size: Tensor = torch.linalg.vector_norm(reference, dim=1)
    return (distance / size).masked_fill(size == 0, math.nan)


def _check(radius: object, draws: object) -> None:
    number = isinstance(radius, (int, float)) and not isinstance(radius, bool)
    if not number or not 0 < radius < math.inf:  # type: ignore[operator]
        raise InputError(f"radius={radius!r}", "a number > 0, in the units of x", "radius=0.02")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError(f"draws={draws!r}", "a whole number > 0", "draws=10")
