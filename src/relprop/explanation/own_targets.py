"""Targets of samples that share a batch: each is resolved on its own output, as if it were alone.

A class, an entry or a function means the same of a sample, whichever others it is beside and
however far it is padded: the last position of an output is that of the sample itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from .own_sizes import WITHOUT_PADDING, OwnSizes
from .targets import ResolvedTarget, resolve_targets


@dataclass(frozen=True)
class OwnTargets:
    """The target of each sample of a batch; as many targets for each, if there are several.

    Attributes:
        targets: Targets as for a call, one for each sample.
        lengths: Length of each sample.
        sizes: Returns the sizes of a sample's own output, given that of the batch.
    """

    targets: tuple[Any, ...]
    lengths: tuple[int, ...]
    sizes: Callable[[Tensor], OwnSizes]

    def select(self, chosen: slice) -> "OwnTargets":
        """Return the targets of some samples."""
        return replace(self, targets=self.targets[chosen], lengths=self.lengths[chosen])

    def resolve(
        self, output: Tensor, scores: Tensor, start: int
    ) -> tuple[list[ResolvedTarget], bool]:
        """Resolve the target of each sample, and put them together to targets of the batch."""
        sizes, each = self.sizes(output), []
        for i, (target, length) in enumerate(zip(self.targets, self.lengths, strict=True)):
            own = sizes.own(output, i, length)
            own_scores = own if scores is output else sizes.own(scores, i, length)
            each.append(resolve_targets(own, own_scores, target, start + i))
        if len({len(resolved) for resolved, _ in each}) > 1:
            given = 'target="all" of outputs with more classes the longer a sample is'
            raise InputError(given, "as many targets for each sample", WITHOUT_PADDING)
        by_target = zip(*(resolved for resolved, _ in each), strict=True)
        return [self._join(parts, scores, sizes) for parts in by_target], each[0][1]

    def refuse_growing(self, output: Tensor) -> None:
        """Raise InputError if an output grows with the length: compiled code sees the whole."""
        if any(self.sizes(output).grows):
            given = "compile=True with an output that grows with the length of a sample"
            raise InputError(given, "an output of one size", WITHOUT_PADDING)

    def _join(
        self, parts: Sequence[ResolvedTarget], scores: Tensor, sizes: OwnSizes
    ) -> ResolvedTarget:
        """Put one target of each sample together; padded positions receive no relevance."""
        c = torch.zeros_like(scores)
        for i, (part, length) in enumerate(zip(parts, self.lengths, strict=True)):
            sizes.own(c, i, length).copy_(part.c)
        # Without classes, which some samples may have and others not: each has its own once cut.
        return ResolvedTarget(c, None, all(part.one_hot for part in parts))


def resolve_each(
    output: Tensor, scores: Tensor, target: Any, start: int = 0
) -> tuple[list[ResolvedTarget], bool]:
    """Resolve a target of the batch, or of each sample, as `resolve_targets` does."""
    if isinstance(target, OwnTargets):
        return target.resolve(output, scores, start)
    return resolve_targets(output, scores, target, start)
