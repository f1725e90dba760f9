"""Parts of what arrives at a value: each that a step gives to it, and their sum."""

from collections.abc import Sequence

from torch import Tensor

from ..rules.backward import Form, relevance
from ..rules.scaling import alike

# A tensor, its form, and whether it is nobody else's and may be written into.
Part = tuple[Tensor, Form, bool]


def added_up(parts: Sequence[Part], form: Form, value: Tensor | None, in_place: bool) -> Tensor:
    """The sum of all parts in a form: of one part its tensor, of several one that takes the others.

    value     that they are parts of; needed where forms are mixed
    in_place  the sum of two, which is new, may be written into, too
    """
    if len(parts) == 1 and parts[0][1] is form:
        return parts[0][0]
    if form is Form.RELEVANCE:
        parts = [_as_relevance(part, value) for part in parts]
    (total, _, own), *others = sorted(parts, key=lambda part: not part[2])
    for tensor, _, _ in others:
        fits = own and alike(tensor, total)
        total = total.add_(tensor) if fits else total + tensor
        own = own or in_place
    return total


def _as_relevance(part: Part, value: Tensor | None) -> Part:
    """The same in the form of relevance itself."""
    tensor, form, _ = part
    if form is Form.RELEVANCE:
        return part
    assert value is not None
    return relevance(tensor, form, value), Form.RELEVANCE, False
