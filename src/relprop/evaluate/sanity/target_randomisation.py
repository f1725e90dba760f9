"""Target randomisation: relevance for one class must differ from that for another.

n  samples
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ..maps.similarity import similarity
from ..statistics.estimates import told
from .call_method import RelevanceFunction, question, relevance_of


@dataclass(frozen=True, repr=False)
class TargetRandomisation:
    """How alike relevance is for two classes of each sample.

    target    (n,) a class, other (n,) another one
    spearman  (n,), cosine (n,); see `Similarity`
    """

    target: Tensor
    other: Tensor
    spearman: Tensor
    cosine: Tensor

    def __repr__(self) -> str:
        """Means over samples, with 95 % intervals."""
        head = f"another class, {len(self.target)} samples"
        return f"{head}\nSpearman  {told(self.spearman)}\ncosine    {told(self.cosine)}"


def target_randomisation(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: RelevanceFunction,
    *,
    target: int | Tensor | None = None,
    batch_size: int = 256,
    seed: int = 0,
) -> TargetRandomisation:
    """Compare relevance for the target with that for another class, each as likely as any other.

    relevance  a function (model, x, target) -> relevance
    target     None: what the model predicts; a class; a class for each sample (n,)
    Similarity near 1: the same is shown whatever is asked. Of two classes it is -1 where all that
    speaks for one speaks against the other.
    Source: Sixt et al. 2020, "When explanations lie", random logit test.
    """
    asked = question(model, x, relevance, target, batch_size)
    if asked.classes < 2:
        raise InputError(
            "a model of one class", "at least two classes", "there is no other class to explain"
        )
    generator = torch.Generator().manual_seed(seed)
    shift = torch.randint(1, asked.classes, asked.target.shape, generator=generator)
    other = (asked.target + shift.to(asked.target.device)) % asked.classes
    found = similarity(relevance_of(asked), relevance_of(replace(asked, target=other)))
    return TargetRandomisation(asked.target.cpu(), other.cpu(), found.spearman, found.cosine)
