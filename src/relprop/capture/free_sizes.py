"""Reads from an exported program which sizes of its inputs it leaves open, and on what conditions.

Takes an ExportedProgram. Gives `Sizes`, or None where the conditions cannot be told. Must not know
graphs.
"""

import re
from collections.abc import Callable, Collection, Iterator

import torch
from torch import Tensor

from ..graph.inputs import Inputs
from ..graph.sizes import Condition, Place, Sizes
from ..support import exported_sizes

# As torch writes the size of dimension 1 of the first argument.
_SIZE = re.compile(r"L\['tensors'\]\[(\d+)\]\.size\(\)\[(\d+)\]")


def read_sizes(
    program: torch.export.ExportedProgram,
    inputs: Inputs,
    asked: Collection[Place],
    fixed_by: Callable[[Place], str],
) -> Sizes | None:
    """Tell which sizes a program leaves open.

    Args:
        program: What torch.export returned.
        inputs: What it was exported for.
        asked: The sizes that were to be open, beside that of the batch.
        fixed_by: Names the line of code that fixed one of them; "" if that is unknown.

    Returns:
        None if nothing was asked for, or conditions cannot be read.
    """
    guards = exported_sizes.conditions_on_sizes(program)
    if not asked or guards is None:
        return None
    symbols = dict(_symbols(program, inputs))
    free = frozenset(place for place in asked if place in symbols)
    closed = frozenset(asked) - free  # hold as they are, whatever the conditions on them say
    labels = list(inputs.tensors)
    try:
        every = [_condition(guard, labels) for guard in guards]
        conditions = [c for c in every if not closed.issuperset(c.places.values())]
        conditions += [c for place in sorted(free) for c in _bounds(program, place, symbols[place])]
    except ValueError:
        return None
    fixed = {place: fixed_by(place) for place in sorted(closed)}
    return Sizes(inputs.shapes, inputs.batched, free, fixed, tuple(conditions))


def _symbols(
    program: torch.export.ExportedProgram, inputs: Inputs
) -> Iterator[tuple[Place, object]]:
    """Yield the sizes that a program leaves open, with their symbols; None for twice another."""
    holders = {str(node): node for node in program.graph.find_nodes(op="placeholder")}
    names = map(str, program.graph_signature.user_inputs)
    for label, name in zip(inputs.tensors, names, strict=True):
        value = holders[name].meta.get("val")
        for dim, size in enumerate(value.shape if isinstance(value, Tensor) else ()):
            if exported_sizes.symbols_in(size):  # none where the code has fixed it
                yield (label, dim), exported_sizes.symbol_of(size)


def _condition(guard: str, labels: list[str]) -> Condition:
    """Read a condition as torch writes it. Raises ValueError for one that is of more than sizes."""
    places = {
        f"s{which}_{dim}": (labels[int(which)], int(dim)) for which, dim in _SIZE.findall(guard)
    }
    return Condition(_SIZE.sub(r"s\1_\2", guard), places)


def _bounds(
    program: torch.export.ExportedProgram, place: Place, symbol: object
) -> Iterator[Condition]:
    if symbol is None:
        return  # what it follows has bounds, and a condition says how it follows
    lowest, highest = exported_sizes.range_of(program, symbol)
    yield Condition(f"s >= {lowest}", {"s": place})
    if highest is not None:
        yield Condition(f"s <= {highest}", {"s": place})
