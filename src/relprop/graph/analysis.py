"""What can be known of a graph's values before it runs, found in one walk forward.

Takes a Graph. Knows operations, and nothing of recipes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from .ir import Graph, Node, Ref
from .ops import (
    AS_ANOTHER,
    FACTORS,
    LAYERS,
    OPERATIONS,
    SHAPES_ONLY,
    Kind,
    Operation,
    Principle,
    operation_of,
)


@dataclass
class GraphAnalysis:
    """What is known of a graph's values, by their names.

    sources      where relevance is taken: the explained inputs that hold floating numbers, and
                 the embeddings of those that hold tokens -> the input's name
    dependent    they depend on a source
    nonnegative  they are >= 0 for every input
    kinds        which kind of rule an operation takes; what is in no kind needs none
    constant     product -> the position of the factor that is a gate or a statistic; also of a
                 gate that may grow, such as that of a gated MLP, where a recipe may hold it
    depth        how many of all layers come before, as a fraction; pooling does not count
    first, last  layers that come before, after all others
    folds        weighted sum -> the batch norm that folds into it
    """

    sources: dict[str, str] = field(default_factory=dict)
    dependent: set[str] = field(default_factory=set)
    nonnegative: set[str] = field(default_factory=set)
    kinds: dict[str, Kind] = field(default_factory=dict)
    constant_factor: dict[str, int] = field(default_factory=dict)
    depth: dict[str, float] = field(default_factory=dict)
    first_layers: set[str] = field(default_factory=set)
    last_layers: set[str] = field(default_factory=set)
    folds: dict[str, Node] = field(default_factory=dict)
    folded: frozenset[str] = frozenset()


def analyse_graph(graph: Graph, held: frozenset[str] = frozenset()) -> GraphAnalysis:
    """Walk the graph once. `held` names values that count as constant."""
    analysis = GraphAnalysis(sources=find_sources(graph))
    analysis.dependent.update(name for name in analysis.sources if name not in held)
    scales = Scales()
    for node in graph.nodes:
        inside = set(dependent_inputs(node, analysis.dependent))
        if not node.floating or not inside or node.name in held or node.operation in SHAPES_ONLY:
            continue  # a mask or an index that depends on the input is held as it is
        analysis.dependent.add(node.name)
        operation = operation_of(node)
        if operation is None:
            continue
        if _is_nonnegative(node, operation, analysis.nonnegative):
            analysis.nonnegative.add(node.name)
        _find_kind(node, operation, analysis, scales)
        scales.note(node, operation, inside, analysis)
    _find_depths(graph, analysis)
    analysis.folds = _folds(graph, analysis)
    analysis.folded = frozenset(norm.name for norm in analysis.folds.values())
    return analysis


def find_sources(graph: Graph) -> dict[str, str]:
    """Value at which relevance is taken -> the input that it stands for."""
    direct = {name: name for name in graph.tokens}
    sources = {name: name for name in graph.explained if name not in graph.tokens}
    for node in graph.nodes:
        index = node.args[1] if node.operation == "embedding" else None
        if isinstance(index, Ref) and index.name in direct:
            sources[node.name] = direct[index.name]
        operation = OPERATIONS.get(node.operation)
        moves = not node.floating and operation and operation.principle is Principle.SELECTION
        if moves and isinstance(node.args[0], Ref) and node.args[0].name in direct:
            direct[node.name] = direct[node.args[0].name]
    return sources


def _is_nonnegative(node: Node, operation: Operation, nonnegative: set[str]) -> bool:
    if operation.nonnegative == "if-inputs":
        return nonnegative.issuperset(node.inputs)
    return operation.nonnegative == "always"


@dataclass
class Scales:
    """Values by which others are scaled: found by where they come from.

    statistics  computed from many entries of a value without weights: means, norms, variances
    gates       name -> 2: between 0 and 1, of a sigmoid or a softmax; 1: of a shifted tanh or erf;
                0: of a tanh or an erf, which is a signal too
    activated   of an activation, such as the gate of a gated MLP
    origins     what a value comes of by operations on each entry, selections and reductions alone
    """

    statistics: set[str] = field(default_factory=set)
    gates: dict[str, int] = field(default_factory=dict)
    activated: set[str] = field(default_factory=set)
    origins: dict[str, frozenset[str]] = field(default_factory=dict)

    def note(
        self, node: Node, operation: Operation, inside: set[str], analysis: GraphAnalysis
    ) -> None:
        """Whether a value is one of them, from what its inputs are."""
        entrywise = operation.elementwise or operation.principle in (
            *(Principle.ACTIVATION, Principle.SELECTION, Principle.CHOICE),
        )
        if operation.reduces or (entrywise and self.statistics.issuperset(inside)):
            self.statistics.add(node.name)
        if operation.reduces or entrywise:
            self.origins[node.name] = frozenset().union(*map(self.origin, inside))
        moved = operation.principle is Principle.SELECTION and inside <= self.activated
        if operation.principle is Principle.ACTIVATION or moved:
            self.activated.add(node.name)
        if operation.gate:
            bounded = node.operation in ("tanh", "erf") and analysis.nonnegative.issuperset(inside)
            self.gates[node.name] = 2 if operation.gate == "open" or bounded else 0
        elif entrywise and inside <= set(self.gates):
            shifted = node.operation in ("add", "sub", "rsub") and len(inside) == 1
            scaled = node.operation in ("mul", "div") and isinstance(node.args[1], (int, float))
            clipped = scaled and analysis.nonnegative.issuperset(inside)  # relu6(x + 3) / 6
            lowest = min(self.gates[name] for name in inside)
            self.gates[node.name] = 2 if clipped else max(lowest, 1) if shifted else lowest

    def origin(self, name: str) -> frozenset[str]:
        """The values that a value comes of without a layer between: itself, if there are none."""
        return self.origins.get(name, frozenset({name}))

    def normalise(self, statistic: str, value: str) -> bool:
        """Whether a statistic is one of what it scales; if not, it is a value like another."""
        only = statistic in self.statistics and value not in self.statistics
        return only and not self.origin(statistic).isdisjoint(self.origin(value))


def _find_kind(node: Node, operation: Operation, analysis: GraphAnalysis, scales: Scales) -> None:
    places = dependent_args(node, analysis.dependent)
    kind = operation.kind
    if kind in ("product", "matmul") or kind in LAYERS:
        kind = _kind_of_product(node, kind, places)
    elif kind == "attention" and places == (2,):
        kind = None  # linear in its values
    if kind == "product":
        kind, constant = _constant_factor(node, scales)
        analysis.constant_factor.update({node.name: constant} if constant is not None else {})
    if kind is not None:
        analysis.kinds[node.name] = kind


def dependent_inputs(node: Node, dependent: set[str]) -> tuple[str, ...]:
    """Names of the values that it takes which depend on the input, by their values."""
    names = node.inputs[:1] if node.operation in AS_ANOTHER else node.inputs
    return tuple(name for name in names if name in dependent)


def dependent_args(node: Node, dependent: set[str]) -> tuple[int, ...]:
    """Positions of the arguments that depend on the input."""
    return tuple(
        i for i, arg in enumerate(node.args) if isinstance(arg, Ref) and arg.name in dependent
    )


def _kind_of_product(node: Node, kind: Kind, places: tuple[int, ...]) -> Kind | None:
    """A product of two dependent factors is none of a layer; with one factor, it is linear."""
    if kind in LAYERS and places == (0,):
        return kind
    factors = FACTORS.get(node.operation, (0, 1))
    if node.operation in ("addmm", "mm") and places == factors[:1] and not node.kwargs:
        return "linear"  # x W, with W constant
    both = set(factors) <= set(places)
    return ("product" if kind == "product" else "matmul") if both else None


def _constant_factor(node: Node, scales: Scales) -> tuple[Kind, int | None]:
    places = FACTORS.get(node.operation, (0, 1))
    names = [node.args[i].name for i in places]
    if node.operation == "div":
        return "normalisation", 1
    for i in (1, 0):
        if scales.normalise(names[i], names[1 - i]):
            return "normalisation", places[i]
    rank = [scales.gates.get(name) or 0 for name in names]
    if rank[0] != rank[1]:
        return "gate", places[int(rank[1] > rank[0])]
    activated = [place for place, n in zip(places, names, strict=True) if n in scales.activated]
    return "product", activated[0] if len(activated) == 1 else None


def _find_depths(graph: Graph, analysis: GraphAnalysis) -> None:
    layers = [node for node in graph.nodes if analysis.kinds.get(node.name) in LAYERS]
    before = dict.fromkeys((layer.name for layer in layers), 0)
    seen, passed = 0, set[str]()
    for node in graph.nodes:
        analysis.depth[node.name] = min(1.0, seen / max(1, len(layers) - 1))
        seen += node.name in before
        reached = bool(passed.intersection(node.inputs))
        if node.name in before and not reached:
            analysis.first_layers.add(node.name)
        if node.name in before or reached:
            passed.add(node.name)
    needed = {graph.output}
    passed = set()
    for node in reversed(graph.nodes):
        if node.name not in needed:
            continue
        if node.name in before and node.name not in passed:
            analysis.last_layers.add(node.name)
        if node.name in before or node.name in passed:
            passed.update(node.inputs)
        needed.update(node.inputs)


def _folds(graph: Graph, analysis: GraphAnalysis) -> dict[str, Node]:
    """Batch norms whose input is a weighted sum that nothing else uses."""
    nodes = {node.name: node for node in graph.nodes}
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses[graph.output] += 1
    folds: dict[str, Node] = {}
    for norm in graph.nodes:
        before = _batch_normalised(norm, nodes, analysis)
        if before is not None and uses[before.name] == 1:
            folds[before.name] = norm
    return folds


def _batch_normalised(
    norm: Node, nodes: Mapping[str, Node], analysis: GraphAnalysis
) -> Node | None:
    """The weighted sum that feeds a batch norm, if its output channels are the normalised ones."""
    if norm.operation != "batch_norm" or not isinstance(norm.args[0], Ref):
        return None
    if any(name in nodes for name in norm.inputs[1:]):
        return None  # its weight is computed, perhaps after the layer that it would fold into
    before = nodes.get(norm.args[0].name)
    if before is None or before.name not in analysis.dependent:
        return None
    kind = analysis.kinds.get(before.name)
    fits = kind == "convolution" or (kind == "linear" and len(before.shape) == 2)
    return before if fits else None
