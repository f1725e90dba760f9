"""A planted mark: does relevance find what is known to give the class away?

Takes a model that was trained with a mark on its pictures, or without. Trains nothing.

n  samples
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...errors import InputError
from ..maps.localisation import Localisation, localisation
from ..removal.subject import inputs_of
from ..statistics.estimates import Paired, defined, paired
from .call_method import Question, RelevanceFunction, question, relevance_of


@dataclass(frozen=True, repr=False)
class PlantedMark:
    """Relevance inside the mark, and at the same places of the same samples without it.

    target    (n,) the class whose relevance it is
    unmarked  None if no such samples were given
    """

    target: Tensor
    marked: Localisation
    unmarked: Localisation | None

    @property
    def more_share(self) -> Paired | None:
        """Share inside with the mark minus that without, over the samples that have both."""
        return _difference(self.marked.share, self.unmarked.share) if self.unmarked else None

    @property
    def more_area(self) -> Paired | None:
        """Area with the mark minus that without."""
        return _difference(self.marked.area, self.unmarked.area) if self.unmarked else None

    def __repr__(self) -> str:
        """Means over samples with and without the mark, and what it adds."""
        if self.unmarked is None:
            return f"with the mark: {self.marked}"
        more = f"more share with it  {self.more_share}\nmore area with it   {self.more_area}"
        return f"with the mark: {self.marked}\nwithout it: {self.unmarked}\n{more}"


def planted_mark(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: RelevanceFunction,
    mask: Tensor,
    *,
    unmarked: Tensor | Mapping[str, Any] | None = None,
    target: int | Tensor | None = None,
    batch_size: int = 256,
) -> PlantedMark:
    """How much relevance lies inside a mark that was put on samples.

    x          samples with the mark
    relevance  a function (model, x, target) -> relevance
    mask       nonzero inside the mark; see `localisation`
    unmarked   the same samples without it, explained for the same classes
    target     None: what the model predicts of the marked samples; a class; a class for each
    Where a model knows the class by the mark alone, a true explanation puts its positive relevance
    inside; where the mark means nothing to it, no more than lies there without the mark.
    """
    asked = question(model, x, relevance, target, batch_size)
    other = None if unmarked is None else _without(asked, unmarked)
    found = localisation(relevance_of(asked), mask)
    without = None if other is None else localisation(relevance_of(other), mask)
    return PlantedMark(asked.target.cpu(), found, without)


def _without(asked: Question, unmarked: Tensor | Mapping[str, Any]) -> Question:
    """The same question for samples without the mark."""
    inputs = inputs_of(asked.model, unmarked, None)
    if inputs.first.shape != asked.x.shape:
        raise InputError(
            f"unmarked samples of shape {tuple(inputs.first.shape)}, marked {tuple(asked.x.shape)}",
            "the same samples without the mark",
            "keep a copy of x before you put the mark on it",
        )
    return replace(asked, inputs=inputs)


def _difference(marked: Tensor, unmarked: Tensor) -> Paired | None:
    both = defined(marked, unmarked)
    return paired(marked[both], unmarked[both]) if both.any() else None
