"""Large batches, explained in parts that fit; the parts as one record again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..errors import InputError
from ..graph.inputs import Inputs
from ..observe.ledger import Ledger, concatenate_ledgers
from .input_guard import AsGiven
from .memory import peak_bytes
from .result import Explanation
from .targets import check_per_sample


def parts(inputs: Inputs, target: Any, size: int) -> Iterator[tuple[Inputs, Any]]:
    """The inputs and the target of at most `size` samples at a time, in order.

    Raises InputError before the first for what would be taken for samples of a part, and is none.
    """
    batch = inputs.batch
    if size >= batch:
        yield inputs, target
        return
    check_per_sample(target, batch)
    _check_rows(inputs, size)
    for start in range(0, batch, size):
        chosen = slice(start, start + size)
        yield inputs.per_sample(lambda t, s=chosen: t[s]), _of_samples(target, chosen, batch)  # type: ignore[misc]


def _check_rows(inputs: Inputs, size: int) -> None:
    """Inputs that all samples share must not have as many rows as a part has samples."""
    counts = {size, inputs.batch % size} - {1}  # of one row, a sample's own would be the same
    for name, tensor in inputs.tensors.items():
        if name not in inputs.batched and tensor.ndim and len(tensor) in counts:
            raise InputError(
                f'"{name}" of shape {tuple(tensor.shape)} beside {inputs.batch} samples, in parts '
                f"of {size}: it would be taken for a part's own samples",
                "parts of another size, or as many rows as there are samples",
                f"write batch_size={size + 1}",
            )


def _of_samples(target: Any, chosen: slice, batch: int) -> Any:
    """The target of some samples: a tensor holds one class for each, all else is the same."""
    if isinstance(target, (list, tuple)):
        return type(target)(_of_samples(one, chosen, batch) for one in target)
    per_sample = getattr(target, "shape", None) == (batch,)
    return target[chosen] if per_sample else target


def joined(explanations: Iterable[Explanation], inputs: Inputs) -> Explanation:
    """The explanations of parts of the inputs, in order, as that of all: each copied as it comes.

    Raises InputError for relevance at a layer whose output does not begin with the samples.
    """
    given = AsGiven(inputs.taken)
    whole, ledgers, start, several = dict[str, Any](), list[Sequence[Ledger]](), 0, False
    for part in explanations:
        size = len(part.output)
        if size == inputs.batch:
            return part
        for name in _PER_SAMPLE:
            value = getattr(part, name)
            whole[name] = whole[name] if start else _room(value, inputs.batch)
            _fill(whole[name], value, slice(start, start + size))
        ledgers.append(part.ledgers)
        several = part.several
        start += size
        del part, value  # before the next is made
    by_target = tuple(concatenate_ledgers(one) for one in zip(*ledgers, strict=True))
    given.check()
    return Explanation(**whole, inputs=given, several=several, ledgers=by_target)


_PER_SAMPLE = ("output", "target", "relevances", "layers")


def _room(value: Any, batch: int) -> Any:
    """Memory for a value as it will be for all samples; for each of several values."""
    if isinstance(value, Mapping):
        return {key: _room(one, batch) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_room(one, batch) for one in value)
    return None if value is None else value.new_empty((batch, *value.shape[1:]))


def _fill(room: Any, value: Any, chosen: slice) -> None:
    if room is None:
        return
    if not isinstance(room, Tensor):
        for key in room if isinstance(room, Mapping) else range(len(room)):
            _fill(room[key], value[key], chosen)
        return
    if len(value) != chosen.stop - chosen.start:
        raise InputError(
            f"relevance of shape {tuple(value.shape)} at a layer, for "
            f"{chosen.stop - chosen.start} samples in parts",
            "layers whose output has the samples in its first dimension",
            "leave batch_size and memory out",
        )
    room[chosen] = value


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
