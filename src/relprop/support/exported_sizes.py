"""Sizes that an exported program leaves open: their symbols, ranges and conditions.

Takes an ExportedProgram, or a size of one of its values. What it reads of torch is not documented:
`torch_private.probe` looks whether it is there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from traceback import FrameSummary
from typing import Any, NamedTuple

import torch
from torch import Tensor


class SizeRange(NamedTuple):
    """The values of a size for which an exported program is right; None: no upper bound."""

    lower: int
    upper: int | None


def batch_size_ranges(
    program: torch.export.ExportedProgram, batched: Sequence[bool]
) -> list[SizeRange]:
    """List the range of the batch size, as each input with a batch axis has it.

    Args:
        program: The program.
        batched: Of each input, in order, whether its first size is that of the batch.
    """
    batch = _batch_symbols(program, batched)
    return [range_of(program, one) for one in program.range_constraints if one in batch]


def open_symbols(program: torch.export.ExportedProgram, batched: Sequence[bool]) -> frozenset[Any]:
    """Return the symbols of other sizes of inputs, which do not follow the batch.

    Args:
        program: The program.
        batched: As for `batch_size_ranges`.
    """
    every = (symbol_of(size) for shape in _input_shapes(program) for size in shape)
    return frozenset(every) - {None} - _batch_symbols(program, batched)


def _batch_symbols(
    program: torch.export.ExportedProgram, batched: Sequence[bool]
) -> frozenset[Any]:
    pairs = zip(_input_shapes(program), batched, strict=True)
    return frozenset(symbol_of(shape[0]) for shape, has_batch in pairs if has_batch) - {None}


def _input_shapes(program: torch.export.ExportedProgram) -> list[torch.Size]:
    """List the shapes of the inputs, without parameters, in order."""
    values = {
        str(node): node.meta.get("val") for node in program.graph.find_nodes(op="placeholder")
    }
    inputs = (values[str(name)] for name in program.graph_signature.user_inputs)
    return [value.shape if isinstance(value, Tensor) else torch.Size() for value in inputs]


def range_of(program: torch.export.ExportedProgram, symbol: Any) -> SizeRange:
    """Return the range of a size that an exported program leaves open."""
    sizes = program.range_constraints[symbol]
    return SizeRange(int(sizes.lower), int(sizes.upper) if sizes.upper.is_Integer else None)


def conditions_on_sizes(program: torch.export.ExportedProgram) -> list[str] | None:
    """List what an exported program found to be true of sizes, as Python; None if torch does not.

    "L['tensors'][0].size()[1]" is the second size of the first argument.
    """
    conditions = getattr(program, "_guards_code", None)
    return None if conditions is None else list(conditions)


def symbols_in(size: Any) -> frozenset[Any]:
    """Return all symbols of a size; none of a number."""
    expression = size.node.expr if isinstance(size, torch.SymInt) else None
    return frozenset() if expression is None else frozenset(expression.free_symbols)


def same_shape(one: Tensor, other: Tensor) -> bool:
    """Tell whether two values of an export are of one shape at all sizes that it leaves open."""
    return [_written(size) for size in one.shape] == [_written(size) for size in other.shape]


def _written(size: Any) -> str:
    return str(size.node.expr if isinstance(size, torch.SymInt) else size)


def size_when_exported(size: Any) -> int | None:
    """Return the number that an open size had; None if it was none, as of entries of a mask."""
    return size if isinstance(size, int) else size.node.hint


def symbol_of(size: Any) -> Any:
    """Return the symbol of a size that is left open; None for a number, and for 2 * batch."""
    expression = size.node.expr if isinstance(size, torch.SymInt) else None
    return expression if expression is not None and expression.is_Symbol else None


class SizeWatch:
    """Watches a model run in torch.export, and notes the lines of code that fix open sizes.

    torch asks where it is whenever a size turns out to be a number, or to follow another size. By
    then it is deep in its own code, so that the caller says which line of the stack is to blame.

    Attributes:
        lines: Index of a tensor and dimension -> the line that fixed this size, as far as known.
    """

    def __init__(self) -> None:
        self.lines: dict[tuple[int, int], FrameSummary | None] = {}

    @contextmanager
    def on(
        self, tensors: Sequence[Tensor], find_line: Callable[[], FrameSummary | None]
    ) -> Iterator[None]:
        """Watch the code in the block.

        Args:
            tensors: Those whose sizes are open, as torch.export passes them to the model.
            find_line: Finds the line of the model's code that runs.
        """
        symbols, environment = dict(_open_symbols(tensors)), _environment(tensors)
        where = getattr(environment, "_get_sloc", None)
        if where is None:  # another torch: no line is known
            yield
            return

        def noted(*arguments: Any, **named: Any) -> Any:
            new = [at for at in symbols if at not in self.lines and _is_number(symbols[at])]
            self.lines |= dict.fromkeys(new, find_line() if new else None)
            return where(*arguments, **named)

        def _is_number(expression: Any) -> bool:
            replaced = getattr(environment, "replacements", {})
            return all(s in replaced and _is_number(replaced[s]) for s in expression.free_symbols)

        environment._get_sloc = noted  # of this export alone
        try:
            yield
        finally:
            del environment._get_sloc


def _environment(tensors: Sequence[Tensor]) -> Any:
    """Return what holds the symbols of an export; None if no size is open."""
    sizes: list[Any] = [size for tensor in tensors for size in tensor.shape]
    nodes = (size.node for size in sizes if isinstance(size, torch.SymInt))
    return next((getattr(node, "shape_env", None) for node in nodes), None)


def _open_symbols(tensors: Sequence[Tensor]) -> Iterator[tuple[tuple[int, int], Any]]:
    for which, tensor in enumerate(tensors):
        for dim, size in enumerate(tensor.shape):
            if symbol_of(size) is not None:
                yield (which, dim), symbol_of(size)
