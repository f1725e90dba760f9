"""Parts of what arrives at a value: each that a step gives to it, and their sum."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from .factors import alike
from .forms import Form, relevance


class Part(NamedTuple):
    """What a step gives to one of its inputs.

    own  the tensor is nobody else's, and may be written into
    """

    tensor: Tensor
    form: Form
    own: bool


def added_up(parts: Sequence[Part], form: Form, value: Tensor | None, in_place: bool) -> Tensor:
    """The sum of all parts in a form: of one part its tensor, of several one that takes the others.

    value     that they are parts of; needed where forms are mixed
    in_place  the sum of two, which is new, may be written into, too
    """
    if len(parts) == 1 and parts[0].form is form:
        return parts[0].tensor
    if form is Form.RELEVANCE:
        parts = [_as_relevance(part, value) for part in parts]
    first, *others = sorted(parts, key=lambda part: not part.own)
    total, own = first.tensor, first.own
    for part in others:
        fits = own and alike(part.tensor, total)
        total = total.add_(part.tensor) if fits else total + part.tensor
        own = own or in_place
    return total


def _as_relevance(part: Part, value: Tensor | None) -> Part:
    """The same in the form of relevance itself."""
    if part.form is Form.RELEVANCE:
        return part
    assert value is not None
    return Part(relevance(part.tensor, part.form, value), Form.RELEVANCE, own=False)
