"""Target randomisation: relevance for one class must differ from relevance for another.

Takes a model and a method. Trains nothing.

n  samples
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...support.estimates import format_mean
from ..maps.similarity import similarity
from .call_method import RelevanceFunction, compute_relevance, prepare_call


@dataclass(frozen=True, repr=False)
class TargetRandomisation:
    """Similarity of relevance for two classes of each sample.

    Attributes:
        target: The first class of each sample, (n,).
        other_target: Another class, drawn at random, (n,).
        spearman: Rank correlation of the two relevances, (n,); see `Similarity`.
        cosine: Cosine similarity of the two relevances, (n,).
    """

    target: Tensor
    other_target: Tensor
    spearman: Tensor
    cosine: Tensor

    def __repr__(self) -> str:
        """Show means over samples, with 95 % intervals."""
        head = f"another class, {len(self.target)} samples"
        spearman, cosine = format_mean(self.spearman), format_mean(self.cosine)
        return f"{head}\nSpearman  {spearman}\ncosine    {cosine}"


def target_randomisation(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: RelevanceFunction,
    *,
    target: int | Tensor | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> TargetRandomisation:
    """Compare relevance for the target with relevance for another class, drawn uniformly.

    A similarity near 1 means that the method shows the same map whichever class it explains. With
    two classes it is -1 where all evidence for one class is evidence against the other.

    Args:
        model: Maps a batch to scores (n, classes).
        x: Samples, (n, *features), or a mapping of keyword inputs.
        relevance: A function (model, x, target) -> relevance (n, *features), such as
            `relprop.Method`.
        target: None: the predicted class; one class; or one class per sample (n,).
        batch_size: Samples per call of `relevance`.
        seed: Random seed of the other classes.

    Returns:
        Both classes and the similarity of each sample.

    Raises:
        InputError: An argument does not fit, the model has one class, or relevance is not finite.

    Example:
        >>> import torch
        >>> from relprop.evaluate import target_randomisation
        >>> model, x = torch.nn.Linear(4, 3).eval(), torch.rand(5, 4)
        >>> result = target_randomisation(model, x, lambda model, x, target: x)
        >>> result.cosine.min().item() > 0.999  # x itself does not depend on the class
        True

    Source: Sixt et al. 2020, "When explanations lie", random logit test.
    """
    call = prepare_call(model, x, relevance, target, batch_size)
    if call.classes < 2:
        raise InputError(
            "a model of one class", "at least two classes", "there is no other class to explain"
        )
    generator = torch.Generator().manual_seed(seed)
    # A shift of 1 to classes - 1, modulo classes, reaches every class but the target.
    shift = torch.randint(1, call.classes, call.target.shape, generator=generator)
    other = (call.target + shift.to(call.target.device)) % call.classes
    compared = similarity(compute_relevance(call), compute_relevance(replace(call, target=other)))
    return TargetRandomisation(call.target.cpu(), other.cpu(), compared.spearman, compared.cosine)
