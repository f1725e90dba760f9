"""Splits large batches into parts that fit, and concatenates their explanations.

Takes inputs and a function that explains a part. Must not know models or programs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import InputError
from ..graph.inputs import InputGuard, Inputs
from .memory import peak_bytes
from .own_targets import OwnTargets
from .result import Explanation
from .targets import check_per_sample

if TYPE_CHECKING:
    from ..observe.ledger import Ledger


def explain_in_parts(
    inputs: Inputs,
    target: Any,
    explain: Callable[[Inputs, Any], Explanation],
    batch_size: int | None,
    memory: int | None,
) -> Explanation:
    """Explain as many samples at a time as `choose_batch_size` says, and put them together."""
    size = choose_batch_size(inputs, explain, target, batch_size, memory)
    if size >= inputs.batch:
        return explain(inputs, target)
    return concatenate((explain(*part) for part in split(inputs, target, size)), inputs)


def split(inputs: Inputs, target: Any, size: int) -> Iterator[tuple[Inputs, Any]]:
    """Yield the inputs and the target of at most `size` samples at a time, in order.

    Raises InputError, before anything is yielded, if a shared input has as many rows as a part has
    samples: it would be mistaken for data of each sample.
    """
    batch = inputs.batch
    if size >= batch:
        yield inputs, target
        return
    check_per_sample(target, batch)
    _check_rows(inputs, size)
    for start in range(0, batch, size):
        chosen = slice(start, start + size)
        part = inputs.per_sample(lambda t, s=chosen: t[s], start=start)  # type: ignore[misc]
        yield part, _select_target(target, chosen, batch)


def _check_rows(inputs: Inputs, size: int) -> None:
    """Refuse inputs that all samples share with as many rows as a part has samples."""
    counts = {size, inputs.batch % size} - {1}  # one row broadcasts either way
    for name, tensor in inputs.tensors.items():
        if name not in inputs.batched and tensor.ndim and len(tensor) in counts:
            raise InputError(
                f'"{name}" of shape {tuple(tensor.shape)} beside {inputs.batch} samples, in parts '
                f"of {size}: it would be taken for a part's own samples",
                "parts of another size, or as many rows as there are samples",
                f"write batch_size={size + 1}",
            )


def _select_target(target: Any, chosen: slice, batch: int) -> Any:
    """Select the target of some samples: of a tensor with one class per sample, their classes."""
    if isinstance(target, OwnTargets):
        return target.select(chosen)
    if isinstance(target, (list, tuple)):
        return type(target)(_select_target(one, chosen, batch) for one in target)
    per_sample = getattr(target, "shape", None) == (batch,)
    return target[chosen] if per_sample else target


def concatenate(explanations: Iterable[Explanation], inputs: Inputs) -> Explanation:
    """Concatenate the explanations of parts of the inputs; each is copied as it comes.

    Raises InputError for relevance at a layer whose output does not begin with the batch axis.
    """
    from ..observe.ledger import concatenate_ledgers

    guard = InputGuard(inputs.tensors, inputs.explained)
    ledgers: list[Sequence[Ledger]] = []
    whole, start = dict[str, Any](), 0
    shared: dict[str, Any] = {}
    for part in explanations:
        size = len(part.output)
        for name in _PER_SAMPLE:
            value = getattr(part, name)
            whole[name] = whole[name] if start else _empty_like(value, inputs.batch)
            _fill(whole[name], value, slice(start, start + size))
        ledgers.append(part.ledgers)
        shared = {name: getattr(part, name) for name in _SHARED}
        start += size
        del part, value  # before the next is made
    by_target = tuple(concatenate_ledgers(one) for one in zip(*ledgers, strict=True))
    guard.check()
    return Explanation(**whole, **shared, inputs=guard, ledgers=by_target)


_PER_SAMPLE = ("output", "target", "relevances", "layers", "score_size", "logits")
_SHARED = ("several", "dropped", "head", "targets")


def _empty_like(value: Any, batch: int) -> Any:
    """Allocate a value for all samples; for mappings and tuples, each value."""
    if isinstance(value, Mapping):
        return {key: _empty_like(one, batch) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_empty_like(one, batch) for one in value)
    return None if value is None else value.new_empty((batch, *value.shape[1:]))


def _fill(whole: Any, value: Any, chosen: slice) -> None:
    """Copy a value of some samples into that of all."""
    if whole is None:
        return
    if not isinstance(whole, Tensor):
        for key in whole if isinstance(whole, Mapping) else range(len(whole)):
            _fill(whole[key], value[key], chosen)
        return
    if len(value) != chosen.stop - chosen.start:
        raise InputError(
            f"relevance of shape {tuple(value.shape)} at a layer, for "
            f"{chosen.stop - chosen.start} samples in parts",
            "layers whose output has the samples in its first dimension",
            "leave batch_size and memory out",
        )
    whole[chosen] = value


def choose_batch_size(
    inputs: Inputs,
    explain: Callable[[Inputs, Any], object],
    target: Any,
    batch_size: int | None,
    memory: int | None,
) -> int:
    """Choose how many samples are explained at a time: so many at most, in so many bytes."""
    size = min(inputs.batch, batch_size or inputs.batch)
    if memory is None or size == 1:
        return size
    return min(size, largest_batch(inputs, explain, target, memory))


def largest_batch(
    inputs: Inputs, explain: Callable[[Inputs, Any], object], target: Any, memory: int
) -> int:
    """Estimate how many samples at a time need at most `memory` bytes, from one and two samples.

    Raises InputError if one sample needs more.
    """
    one, two = (
        peak_bytes(lambda n=n: explain(*next(split(inputs, target, n))))  # type: ignore[misc]
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
