"""Large batches, explained in parts that fit; the parts as one record again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from .engine.inputs import Inputs
from .engine.ledger import joined as joined_ledgers
from .errors import InputError
from .explanation import Explanation
from .live_memory import peak_bytes


def parts(inputs: Inputs, target: Any, size: int) -> Iterator[tuple[Inputs, Any]]:
    """The inputs and the target of at most `size` samples at a time, in order."""
    batch = inputs.batch
    for start in range(0, batch, size):
        chosen = slice(start, start + size)
        yield inputs.per_sample(lambda t, s=chosen: t[s]), _of_samples(target, chosen, batch)  # type: ignore[misc]


def _of_samples(target: Any, chosen: slice, batch: int) -> Any:
    """The target of some samples: a tensor holds one class for each, all else is the same."""
    if isinstance(target, (list, tuple)):
        return type(target)(_of_samples(one, chosen, batch) for one in target)
    per_sample = getattr(target, "shape", None) == (batch,)
    return target[chosen] if per_sample else target


def joined(explanations: Sequence[Explanation]) -> Explanation:
    """The explanations of several batches as that of one.

    Raises InputError for relevance at a layer whose output does not begin with the samples.
    """
    first, sizes = explanations[0], [len(e.output) for e in explanations]
    if len(explanations) == 1:
        return first
    by_target = zip(*(e.ledgers for e in explanations), strict=True)
    ledgers = tuple(joined_ledgers(one) for one in by_target)
    values = {
        field.name: _joined([getattr(e, field.name) for e in explanations], sizes)
        for field in fields(first)
        if field.name not in ("several", "ledgers")
    }
    return replace(first, **values, ledgers=ledgers)


def _joined(values: list[Any], sizes: list[int]) -> Any:
    first = values[0]
    if first is None:
        return None
    if isinstance(first, Mapping):
        return {key: _joined([value[key] for value in values], sizes) for key in first}
    if isinstance(first, tuple):
        return tuple(_joined(list(one), sizes) for one in zip(*values, strict=True))
    if [len(value) for value in values] != sizes:
        raise InputError(
            f"relevance of shape {tuple(first.shape)} at a layer, for {sizes[0]} samples in parts",
            "layers whose output has the samples in its first dimension",
            "leave batch_size and memory out",
        )
    return torch.cat(values)


def fitting(
    inputs: Inputs, explain: Callable[[Inputs, Any], object], target: Any, memory: int
) -> int:
    """How many samples at a time need at most `memory` bytes, by what one and two of them need.

    Raises InputError if one sample needs more.
    """
    one, two = (
        peak_bytes(lambda n=n: explain(*next(parts(inputs, target, n))))  # type: ignore[misc]
        for n in (1, 2)
    )
    each = max(1, two - one)
    if one > memory:
        raise InputError(
            f"memory={memory:,} bytes, where one sample needs {one:,}",
            f"at least {one:,} bytes",
            f"write memory={one + each:,}".replace(",", "_"),
        )
    return 1 + (memory - one) // each
