"""Values that scale others: gates and statistics, recognised by how they are computed.

In a product of two values that both depend on the input, a rule may hold one factor constant. This
module says which: the gate of a gated unit, or the mean, norm or variance of a normalisation that
is written out. Takes nodes in order of running; must not know rules or recipes.
"""

from collections.abc import Set
from dataclasses import dataclass, field
from enum import IntEnum

from .ir import Node
from .ops import FACTORS, Kind, Operation, Principle


class GateRank(IntEnum):
    """How surely a value is a gate. Of the two factors of a product, the one that ranks higher is.

    Attributes:
        SIGNED: A tanh or an erf, between -1 and 1; it may be a signal as well. Also what is no
            gate: such a product has no factor that ranks higher.
        SHIFTED: A tanh or an erf plus a constant, such as the one in GELU written out.
        OPEN: Between 0 and 1: a sigmoid, a softmax, or a clipped ramp such as relu6(x + 3) / 6.
    """

    SIGNED = 0
    SHIFTED = 1
    OPEN = 2


@dataclass
class Scales:
    """Gates and statistics among the values of a graph, collected node by node.

    Attributes:
        statistics: Values computed from many entries of another without weights: means, norms,
            variances, and what is computed from these entry by entry.
        gates: Gate -> how surely it is one.
        activated: Results of an activation, such as the activated factor of a gated MLP.
        origins: Value -> the values that it was computed from by elementwise operations,
            selections and reductions alone.
        means: Products that are summed over the axis of a softmax among their factors: no gates.
    """

    statistics: set[str] = field(default_factory=set)
    gates: dict[str, GateRank] = field(default_factory=dict)
    activated: set[str] = field(default_factory=set)
    origins: dict[str, frozenset[str]] = field(default_factory=dict)
    means: Set[str] = frozenset()

    def add(
        self, node: Node, operation: Operation, inputs: Set[str], nonnegative: Set[str]
    ) -> None:
        """Classify the result of a node whose inputs are classified.

        Args:
            node: The node.
            operation: What is known of its operation.
            inputs: Those of its inputs that depend on the model's input.
            nonnegative: Names of all values that are known to be >= 0.
        """
        selects = operation.principle in (Principle.SELECTION, Principle.CHOICE)
        activates = operation.principle is Principle.ACTIVATION
        elementwise = operation.elementwise or activates or selects
        if operation.reduces or (elementwise and self.statistics.issuperset(inputs)):
            self.statistics.add(node.name)
        if operation.reduces or elementwise:
            self.origins[node.name] = frozenset().union(*map(self._origin, inputs))
        moves = operation.principle is Principle.SELECTION and inputs <= self.activated
        if activates or moves:
            self.activated.add(node.name)
        if operation.gate or (elementwise and inputs <= self.gates.keys()):
            self.gates[node.name] = self._gate_rank(node, operation, inputs, nonnegative)

    def _gate_rank(
        self, node: Node, operation: Operation, inputs: Set[str], nonnegative: Set[str]
    ) -> GateRank:
        if operation.gate:
            bounded = node.operation in ("tanh", "erf") and nonnegative >= inputs
            return GateRank.OPEN if operation.gate == "open" or bounded else GateRank.SIGNED
        lowest = min(self.gates[name] for name in inputs)
        scaled = node.operation in ("mul", "div") and isinstance(node.args[1], (int, float))
        if scaled and nonnegative >= inputs:
            return GateRank.OPEN  # relu6(x + 3) / 6
        shifted = node.operation in ("add", "sub", "rsub") and len(inputs) == 1
        return max(lowest, GateRank.SHIFTED) if shifted else lowest

    def _origin(self, name: str) -> frozenset[str]:
        """Look up a value's origins; a value of a layer, say, is its own origin."""
        return self.origins.get(name, frozenset({name}))

    def _is_statistic_of(self, statistic: str, value: str) -> bool:
        """Check that one factor is a statistic of the other, and of nothing else.

        The mean of another branch of the model, say, is a signal like any other value.
        """
        only = statistic in self.statistics and value not in self.statistics
        return only and not self._origin(statistic).isdisjoint(self._origin(value))

    def constant_factor(self, node: Node) -> tuple[Kind, int | None]:
        """Find the kind of a product of two values, and its factor that may be held constant.

        Returns:
            The kind of rule, and the index of that argument; None if no factor is told apart.
        """
        if node.operation == "div":
            return "normalisation", 1
        indices = FACTORS.get(node.operation, (0, 1))
        names = [node.args[i].name for i in indices]
        for i in (1, 0):
            if self._is_statistic_of(names[i], names[1 - i]):
                return "normalisation", indices[i]
        first, second = (self.gates.get(name, GateRank.SIGNED) for name in names)
        if first != second:
            return "product" if node.name in self.means else "gate", indices[int(second > first)]
        activated = [i for i, name in zip(indices, names, strict=True) if name in self.activated]
        return "product", activated[0] if len(activated) == 1 else None
