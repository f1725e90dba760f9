"""Static analysis of a graph: what is known of its values before it runs.

Takes a graph; gives a GraphAnalysis. Knows operations; must not know recipes or rules.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from .ir import Graph, Node, Ref
from .ops import (
    FACTORS,
    FIRST_BY_VALUE,
    LAYERS,
    OPERATIONS,
    SHAPES_ONLY,
    Kind,
    Operation,
    Principle,
    operation_of,
)
from .scales import Scales
from .weighted_mean import find_weighted_means


@dataclass
class GraphAnalysis:
    """What is known of a graph's values, by their names.

    Attributes:
        sources: Values at which the backward pass ends -> the input that they stand for: an
            explained input of floating point numbers itself, or the embedding of token ids.
        dependent: Values that depend on a source.
        nonnegative: Values that are >= 0 for every input.
        kinds: Operation -> the kind of rule that it takes; an operation that is not here takes no
            rule.
        constant_factor: Product -> index of the argument that the rule may hold constant: a gate,
            a statistic, or the activated factor of a gated MLP.
        depth: Fraction of the layers that run earlier; pooling is no layer here.
        first_layers: Layers that no other layer comes before.
        last_layers: Layers that no other layer comes after on the way to the output.
        folds: Layer -> the batch norm that can be folded into its weights.
        folded: Names of these batch norms.
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
    """Analyse all values in one pass forward, and layers' places in one pass back.

    Args:
        graph: The graph.
        held: Names of values that a recipe holds constant: they count as independent of the input.
    """
    analysis = GraphAnalysis(sources=find_sources(graph))
    analysis.dependent.update(name for name in analysis.sources if name not in held)
    scales = Scales(means=find_weighted_means(graph.nodes))
    for node in graph.nodes:
        inputs = set(dependent_inputs(node, analysis.dependent))
        # A mask or an index that depends on the input is no floating point number: it is constant.
        constant = not node.floating or node.held or node.name in held
        if constant or not inputs or node.operation in SHAPES_ONLY:
            continue
        analysis.dependent.add(node.name)
        operation = operation_of(node)
        if operation is None:
            continue  # the planner refuses it, unless nothing propagates through it
        if _is_nonnegative(node, operation, analysis.nonnegative):
            analysis.nonnegative.add(node.name)
        _find_kind(node, operation, analysis, scales)
        scales.add(node, operation, inputs, analysis.nonnegative)
    _find_depths(graph, analysis)
    _find_last_layers(graph, analysis)
    analysis.folds = _find_folds(graph, analysis)
    analysis.folded = frozenset(norm.name for norm in analysis.folds.values())
    return analysis


def find_sources(graph: Graph) -> dict[str, str]:
    """Find the values at which the backward pass ends.

    An input of token ids has no gradient. Its source is the embedding's result, also where the
    model moves the ids (slices, shifts, concatenates) before it looks them up.

    Returns:
        Source -> name of the explained input that it stands for.
    """
    ids = {name: name for name in graph.tokens}
    sources = {name: name for name in graph.explained if name not in graph.tokens}
    for node in graph.nodes:
        index = node.args[1] if node.operation == "embedding" else None
        if isinstance(index, Ref) and index.name in ids:
            sources[node.name] = ids[index.name]
        operation = OPERATIONS.get(node.operation)
        moves = not node.floating and operation and operation.principle is Principle.SELECTION
        if moves and isinstance(node.args[0], Ref) and node.args[0].name in ids:
            ids[node.name] = ids[node.args[0].name]
    return sources


def dependent_inputs(node: Node, dependent: set[str]) -> tuple[str, ...]:
    """List the inputs of a node that depend on the model's input and count by their values."""
    names = node.inputs[:1] if node.operation in FIRST_BY_VALUE else node.inputs
    return tuple(name for name in names if name in dependent)


def dependent_args(node: Node, dependent: set[str]) -> tuple[int, ...]:
    """List the indices of the positional arguments that depend on the model's input."""
    return tuple(
        i for i, arg in enumerate(node.args) if isinstance(arg, Ref) and arg.name in dependent
    )


def _is_nonnegative(node: Node, operation: Operation, nonnegative: set[str]) -> bool:
    if operation.nonnegative == "if-inputs":
        return nonnegative.issuperset(node.inputs)
    return operation.nonnegative == "always"


def _find_kind(node: Node, operation: Operation, analysis: GraphAnalysis, scales: Scales) -> None:
    indices = dependent_args(node, analysis.dependent)
    kind = operation.kind
    if kind in ("product", "matmul") or kind in LAYERS:
        kind = _kind_of_product(node, kind, indices)
    elif kind == "attention" and indices == (2,):
        kind = None  # only its values depend on the input: it is linear in them
    if kind == "product":
        kind, constant = scales.constant_factor(node)
        if constant is not None:
            analysis.constant_factor[node.name] = constant
    if kind is not None:
        analysis.kinds[node.name] = kind


def _kind_of_product(node: Node, kind: Kind, indices: tuple[int, ...]) -> Kind | None:
    """Tell products by the number of factors that depend on the input.

    With two, even F.linear is no layer: its weight is computed, and takes relevance as well. With
    one, a product is linear, and needs no rule unless it is x W.
    """
    if kind in LAYERS and indices == (0,):
        return kind
    factors = FACTORS.get(node.operation, (0, 1))
    if node.operation in ("addmm", "mm") and indices == factors[:1] and not node.kwargs:
        return "linear"  # x W, with W constant
    if set(factors) <= set(indices):
        return "product" if kind == "product" else "matmul"
    return None


def _find_depths(graph: Graph, analysis: GraphAnalysis) -> None:
    layers = {node.name for node in graph.nodes if analysis.kinds.get(node.name) in LAYERS}
    layers_before, after_layer = 0, set[str]()
    for node in graph.nodes:
        analysis.depth[node.name] = min(1.0, layers_before / max(1, len(layers) - 1))
        layers_before += node.name in layers
        follows = not after_layer.isdisjoint(node.inputs)
        if node.name in layers and not follows:
            analysis.first_layers.add(node.name)
        if node.name in layers or follows:
            after_layer.add(node.name)


def _find_last_layers(graph: Graph, analysis: GraphAnalysis) -> None:
    reaches_output, before_layer = {graph.output, graph.scores}, set[str]()
    for node in reversed(graph.nodes):
        if node.name not in reaches_output:
            continue
        reaches_output.update(node.inputs)
        is_layer = analysis.kinds.get(node.name) in LAYERS
        if is_layer and node.name not in before_layer:
            analysis.last_layers.add(node.name)
        if is_layer or node.name in before_layer:
            before_layer.update(node.inputs)


def _find_folds(graph: Graph, analysis: GraphAnalysis) -> dict[str, Node]:
    """Find the batch norms whose input is a layer that nothing else reads."""
    nodes = {node.name: node for node in graph.nodes}
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses.update({graph.output, graph.scores})
    folds: dict[str, Node] = {}
    for norm in graph.nodes:
        layer = _normalised_layer(norm, nodes, analysis)
        if layer is not None and uses[layer.name] == 1:
            folds[layer.name] = norm
    return folds


def _normalised_layer(
    norm: Node, nodes: Mapping[str, Node], analysis: GraphAnalysis
) -> Node | None:
    """Find the layer that feeds a batch norm, if it has one scale for each output channel."""
    if norm.operation != "batch_norm" or not isinstance(norm.args[0], Ref):
        return None
    if any(name in nodes for name in norm.inputs[1:]):
        return None  # its weight is computed, perhaps after the layer that it would fold into
    layer = nodes.get(norm.args[0].name)
    if layer is None or layer.name not in analysis.dependent:
        return None
    kind = analysis.kinds.get(layer.name)
    # After a linear layer over sequences, batch norm scales dimension 1, which is no channel.
    fits = kind == "convolution" or (kind == "linear" and len(layer.shape) == 2)
    return layer if fits else None
