"""Refuses class numbers that cannot be read, and containers of them that may mean two things.

Takes a target, however nested. Gives nothing, or raises an InputError. Must not know outputs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .target_advice import bad_target


def refuse_other_labels(target: Any, batch: int) -> None:
    """Refuse tensors without dense numbers; several classes that may be one of each sample.

    These are a list of as many class numbers as samples, and a range, a deque or an array.

    Args:
        target: The target of a call.
        batch: Number of samples in the whole batch.

    Raises:
        InputError: The target is one of these.
    """
    if isinstance(target, list) and len(target) == batch > 1 and _are_classes(target):
        raise _two_meanings(
            f"a list of {batch} classes for a batch of {batch}, which may mean one class per "
            f"sample, or {batch} classes of every sample",
            str([int(one) for one in target]),
        )
    _refuse_forms(target)


def _refuse_forms(target: Any) -> None:
    """Refuse tensors and sequences, also in lists and pairs of targets."""
    if isinstance(target, (list, tuple)):
        for one in target:
            _refuse_forms(one)
    elif isinstance(target, Tensor):
        _refuse_other_tensor(target)
    elif isinstance(target, Sequence) and not isinstance(target, (str, bytes)):
        _refuse_other_sequence(target)


def _refuse_other_tensor(target: Tensor) -> None:
    if target.device.type == "meta":
        raise bad_target("a tensor on meta, which has no numbers", "give the tensor with numbers")
    if target.is_quantized:
        raise bad_target("a quantised tensor", "write target.dequantize().long()")
    if target.layout is not torch.strided:
        raise bad_target(f"a tensor of layout {target.layout}", "write target.to_dense()")


def _refuse_other_sequence(target: Sequence[Any]) -> None:
    if _are_classes(target):
        raise _two_meanings(
            f"of type {type(target).__name__}, with {len(target)} class numbers, which may mean "
            "one class per sample, or several classes of every sample",
            f"[*{target!r}]" if isinstance(target, range) else str([int(one) for one in target]),
        )


def _are_classes(target: Sequence[Any]) -> bool:
    return all(map(_is_class_number, target))


def _is_class_number(one: Any) -> bool:
    if isinstance(one, Tensor):
        counts = not one.is_floating_point() and one.dtype is not torch.bool
        return one.ndim == 0 and counts and one.device.type != "meta"
    return isinstance(one, (int, np.integer)) and not isinstance(one, bool)


def _two_meanings(given: str, numbers: str) -> InputError:
    """Return the error with both spellings of class numbers, which are given as code."""
    return bad_target(
        given,
        f"write target=torch.tensor({numbers}) for one class per sample, or "
        f"target=[relprop.at(k) for k in {numbers}] for all of these classes of every sample",
    )
