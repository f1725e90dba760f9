"""The head of a model: what ends it between its logits and its output, such as a softmax.

Takes a graph and which of its values depend on the input; gives the logits of its output, and the
function that squashes an output whose logits are not known. Must not know recipes or rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from ..support.output_kinds import OutputKind
from .analysis import dependent_inputs
from .final_functions import final_function
from .ir import Graph, Head, Node, Ref
from .ops import Principle, operation_of

# Relevance of a probability is another question than that of a score. Where p = sigmoid(z) is below
# 1/2, z < 0, so that p / z turns the map of z round. So the logits z are explained, wherever the
# output rises with them. An example, with sizes (batch, ...):
#
#     z = linear(h, w)            (n, 1)        z           = linear(h, w)       (n, 1)
#     p = sigmoid(z)              (n, 1)        p           = sigmoid(z)         (n, 1)
#     y = squeeze(p, -1)          (n,)          y           = squeeze(p, -1)     (n,)
#                                               "y of logits" = squeeze(z, -1)   (n,)
#
# y is the output, and relevance starts from "y of logits": a target then refers to the same entry
# of both. What moves entries is repeated on the logits; what keeps their order, such as a logarithm
# or a positive factor, is left out; a negative factor turns them round.

# Operations of the principle SELECTION that join values, or fill in entries.
_JOINS = frozenset(["cat", "stack"])
_FILLS = frozenset(
    {
        *("pad", "constant_pad_nd", "im2col", "tril", "triu", "where", "masked_fill"),
        *("masked_scatter", "max_unpool2d", "max_unpool3d"),
    }
)
_CLAMPS = frozenset(["clamp", "clamp_min", "clamp_max"])
_STABILISER = 1e-3  # an added number up to this size leaves a probability one
_OF_LOGITS = " of logits"


@dataclass(frozen=True)
class Logits:
    """The logits that a value rises with.

    Attributes:
        name: Name of the logits, in the shape of the value.
        kind: What the value's numbers are.
        functions: The last operation of each sigmoid or softmax between the two.
        labels: Module and name of each.
        origins: Names of the values that they take, as the model computes them.
        added: Operations on logits that the model does not have, in the order of running.
    """

    name: str
    kind: OutputKind
    functions: tuple[Node, ...] = ()
    labels: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    added: tuple[Node, ...] = ()


def original_name(name: str) -> str:
    """Name the model's own value that has the shape of one of logits, and the same samples."""
    return name.removesuffix(_OF_LOGITS)


def find_logits(graph: Graph, dependent: set[str]) -> Logits | None:
    """Find the logits of the output: what the sigmoid or softmax takes that the model ends with.

    Args:
        graph: The model's operations.
        dependent: Names of the values that depend on the model's input.

    Returns:
        The logits; None if the output is not known to rise with any.
    """
    nodes = {node.name: node for node in graph.nodes}
    return _Search(nodes, dependent).logits_of(graph.output)


def with_logits(graph: Graph, logits: Logits) -> Graph:
    """Return the graph with the operations on logits, and with the head that explains these."""
    labels = " and ".join(dict.fromkeys(logits.labels))
    head = Head(logits.kind, logits.name, f"input of {labels}")
    return replace(graph, nodes=(*graph.nodes, *logits.added), head=head)


class _Search:
    """Goes back from a value to its logits, and repeats on these what moves entries."""

    def __init__(self, nodes: Mapping[str, Node], dependent: set[str]) -> None:
        self._nodes = nodes
        self._dependent = dependent
        self._known: dict[str, Logits | None] = {}

    def logits_of(self, name: str) -> Logits | None:
        """Find the logits of a value."""
        if name not in self._known:
            node = self._nodes.get(name)
            found = self._of(node) if node is not None and name in self._dependent else None
            self._known[name] = found
        return self._known[name]

    def _of(self, node: Node) -> Logits | None:
        function = final_function(node, self._nodes)
        if function is not None:
            label = f'"{node.module}" ({function.name})' if node.module else function.name
            inner = self.logits_of(function.input)  # may be a sigmoid or softmax, too
            if inner is None:
                return Logits(function.input, function.kind, (node,), (label,), (function.input,))
            functions, labels = (node, *inner.functions), (label, *inner.labels)
            return replace(inner, kind=function.kind, functions=functions, labels=labels)
        if node.operation in _JOINS:
            return self._joined(node)
        inputs = dependent_inputs(node, self._dependent)
        if len(inputs) != 1 or node.args[0] != Ref(inputs[0]):
            return None
        inner = self.logits_of(inputs[0])
        return self._after(node, inner) if inner else None

    def _after(self, node: Node, inner: Logits) -> Logits | None:
        """Describe the result of an operation after a sigmoid or softmax, if it keeps the order."""
        operation = operation_of(node)
        selects = operation is not None and operation.principle is Principle.SELECTION
        if selects and node.operation not in _FILLS | _JOINS:
            return _repeated(replace(node, args=(Ref(inner.name), *node.args[1:])), inner)
        if node.operation in _CLAMPS:
            return inner
        if node.operation == "log":
            return replace(inner, kind="log-probabilities" if _are_p(inner) else "other")
        if node.operation == "exp":
            logarithms = inner.kind == "log-probabilities"
            return replace(inner, kind="probabilities" if logarithms else "other")
        scale, shift = _affine(node)
        if scale > 0:
            same = scale == 1 and abs(shift) <= _STABILISER
            return inner if same else replace(inner, kind="other")
        return _negated(node, inner, (scale, shift)) if scale < 0 else None

    def _joined(self, node: Node) -> Logits | None:
        """Describe several values, joined; those without logits stay as they are."""
        parts = [ref.name for ref in node.args[0]]
        found = [self.logits_of(name) or Logits(name, "other", origins=(name,)) for name in parts]
        functions = [f for one in found for f in one.functions]
        if not functions:
            return None
        joined = Logits(
            "",
            found[0].kind if len({one.kind for one in found}) == 1 else "other",
            tuple(functions),
            tuple(label for one in found for label in one.labels),
            tuple(name for one in found for name in one.origins),
            tuple({n.name: n for one in found for n in one.added}.values()),
        )
        refs = [Ref(one.name) for one in found]
        return _repeated(replace(node, args=(refs, *node.args[1:])), joined)


def _repeated(node: Node, inner: Logits) -> Logits:
    """Add an operation on logits, under a name of its own."""
    added = replace(node, name=node.name + _OF_LOGITS)
    return replace(inner, name=added.name, added=(*inner.added, added))


def _negated(node: Node, inner: Logits, affine: tuple[float, float]) -> Logits:
    """Describe a value that falls as the logits rise. For 1 - sigmoid(z), these are -z."""
    args, target = (Ref(inner.name),), torch.ops.aten.neg.default
    kind: OutputKind = "other"
    if affine == (-1, 1) and _are_p(inner):
        kind = "independent probabilities"
    turned = replace(node, operation="neg", target=target, args=args, kwargs={})
    return _repeated(turned, replace(inner, kind=kind))


def _are_p(logits: Logits) -> bool:
    return logits.kind in ("probabilities", "independent probabilities")


def _affine(node: Node) -> tuple[float, float]:
    """Return a and b of an operation a x + b, numbers in the model's code; a = 0 for others."""
    if node.operation == "neg":
        return -1.0, 0.0
    number = node.args[1] if len(node.args) == 2 else None
    if not isinstance(number, (int, float)) or node.kwargs:
        return 0.0, 0.0
    if node.operation == "div" and not number:
        return 0.0, 0.0
    if node.operation in ("mul", "div"):
        return (1 / number if node.operation == "div" else number), 0.0
    signs = {"add": (1.0, number), "sub": (1.0, -number), "rsub": (-1.0, number)}
    return signs.get(node.operation, (0.0, 0.0))
