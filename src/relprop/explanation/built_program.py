"""Holds what is built for one signature of inputs: programs, and what is known of them.

Records. Must not know how a program is built.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ..capture.batch_axes import BatchAxis
from ..graph.sizes import InputShapes, Place
from ..program.compiled import CompiledProgram
from ..program.program import Program

# A parameter or buffer: its value name, the dict of the module that owns it, its key in there.
StateSlot = tuple[str, Mapping[str, Tensor | None], str]


@dataclass
class ProvedSizes:
    """The sizes between which a program is taken to give the model's output, as it does at both.

    Attributes:
        ranges: A size that the graph leaves open -> the smallest and the largest compared.
    """

    ranges: dict[Place, tuple[int, int]] = field(default_factory=dict)

    def cover(self, shapes: InputShapes) -> bool:
        """Tell whether the sizes of inputs lie between those compared."""
        bounds = self.ranges.items()
        return bool(bounds) and all(
            low <= shapes[label][dim] <= high for (label, dim), (low, high) in bounds
        )

    def add(self, shapes: InputShapes, places: Iterable[Place]) -> None:
        """Add the sizes of inputs for which a program was compared with the model."""
        for label, dim in places:
            size = shapes[label][dim]
            low, high = self.ranges.get((label, dim), (size, size))
            self.ranges[label, dim] = min(low, size), max(high, size)


@dataclass(frozen=True)
class BuiltProgram:
    """Everything that is built for one signature of inputs.

    Attributes:
        program: The whole program.
        pruned: The program at those positions alone that the output depends on, for requests that
            do not look inside; the whole one, where the output depends on all of them.
        compiled: The pruned program as one function of torch.compile's, made at its first call.
        batch_axes: Where each value holds its samples; None where their order is not fixed.
        state: Where the model holds each parameter and buffer, so that a call need not search.
        result: Which of several results of the model is explained.
        proved: The sizes at which each program was compared with the model, by the program's
            identity; of all inputs that share the programs.
        verified: Whether the graph was compared with the model. If not, the first run of each
            program has to agree with the model as precisely as the graph would.
        new: Identities of those programs that were not yet run at the sizes that this is for.
        expected: The model's output for the last sample of the inputs of this one call; None if
            whoever needs it runs the model.
        warned: What was warned of: once for each program.
    """

    program: Program
    pruned: Program
    compiled: CompiledProgram
    batch_axes: Mapping[str, BatchAxis | None]
    state: tuple[StateSlot, ...]
    result: str | int | None
    proved: Mapping[int, ProvedSizes]
    verified: bool
    new: set[int] = field(default_factory=set, compare=False)
    expected: Tensor | None = None
    warned: set[str] = field(default_factory=set, compare=False)

    @property
    def programs(self) -> tuple[Program, ...]:
        """The program, and the pruned one where that is another."""
        return (self.program,) if self.pruned is self.program else (self.program, self.pruned)
