"""The shape of a classifier's output: (batch, classes), with at least two classes.

Takes outputs of models. Gives the one answer to "is this a classifier's output?". Must not know
what a model computed it from.
"""

from torch import Tensor

from ..errors import InputError

_ALLOWED = "(batch, classes) with at least two classes"


def is_classification(output: Tensor) -> bool:
    """Whether an output is (batch, classes), with at least two classes."""
    return output.ndim == 2 and output.shape[1] >= 2


def require_classes(output: Tensor, owner: str, todo: str, *, allowed: str = _ALLOWED) -> None:
    """Raise InputError unless an output is (batch, classes), with at least two classes.

    Args:
        output: A model's output, of any shape.
        owner: What has the shape, as the error's first line names it.
        todo: What to do about another shape.
        allowed: The error's second line, where more than classes is allowed.
    """
    if not is_classification(output):
        raise InputError(f"{owner} of shape {tuple(output.shape)}", allowed, todo)
