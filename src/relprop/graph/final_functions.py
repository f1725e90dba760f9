"""Functions from logits to probabilities: softmaxes, and sigmoids, also written out by hand.

Takes a node; gives the value whose sigmoid or softmax it computes. Knows torch's names and the
usual ways to write a sigmoid out; a softmax that is written out is one operation since the capture,
times a factor if it has a stabiliser. Must not know what comes after the node.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..support.output_kinds import OutputKind
from .ir import Node, Ref

Nodes = Mapping[str, Node]

_KINDS: Mapping[str, OutputKind] = {
    "sigmoid": "independent probabilities",
    "softmax": "probabilities",
    "log_sigmoid": "log-probabilities",
    "log_softmax": "log-probabilities",
}
_NAMES = {name: name for name in _KINDS} | {
    "special_expit": "sigmoid",
    **dict.fromkeys(("_softmax", "_safe_softmax", "special_softmax"), "softmax"),
    **dict.fromkeys(("_log_softmax", "special_log_softmax"), "log_softmax"),
}


class FinalFunction(NamedTuple):
    """A function from logits to probabilities or their logarithms.

    Attributes:
        name: Its name, as torch has it.
        kind: What its results are.
        input: Name of the logits.
    """

    name: str
    kind: OutputKind
    input: str


def final_function(node: Node, nodes: Nodes) -> FinalFunction | None:
    """Recognise the sigmoid or softmax, or the logarithm of one, that a node completes.

    Args:
        node: The node.
        nodes: All nodes of its graph by name.

    Returns:
        None if it completes none.
    """
    name = _NAMES.get(node.operation)
    if name is not None:
        return FinalFunction(name, _KINDS[name], node.args[0].name)
    written_out = _WRITTEN_OUT.get(node.operation)
    return written_out(node, nodes) if written_out else None


def _sigmoid(name: str) -> FinalFunction:
    return FinalFunction("sigmoid", "independent probabilities", name)


def _quotient(node: Node, nodes: Nodes) -> FinalFunction | None:
    """Recognise exp(z) / (1 + exp(z))."""
    above, below = _node(node.args[0], nodes), _node(node.args[1], nodes)
    if above is None or below is None or above.operation != "exp" or node.kwargs:
        return None
    if _is_one_plus(below) and _same(below.args[0], Ref(above.name), nodes):
        return _sigmoid(above.args[0].name)
    return None


def _inverse(node: Node, nodes: Nodes) -> FinalFunction | None:
    """Recognise 1 / (1 + exp(-z))."""
    below = _node(node.args[0], nodes)
    if below is None or not _is_one_plus(below) or node.args[1:] not in ((), (-1,)):
        return None
    exponential = _node(below.args[0], nodes)
    if exponential is None or exponential.operation != "exp":
        return None
    minus = _node(exponential.args[0], nodes)
    negates = minus is not None and (minus.operation, *minus.args[1:]) in (("neg",), ("mul", -1))
    return _sigmoid(minus.args[0].name) if minus is not None and negates else None


def _stabilised(node: Node, nodes: Nodes) -> FinalFunction | None:
    """Recognise the softmax whose sum has a stabiliser, as the capture writes it.

    It is softmax(logits) times a held share, where the logits are z, filled with 0 in some rows.
    """
    softmax, share = (_node(argument, nodes) for argument in node.args)
    if softmax is None or share is None or not share.held or softmax.operation != "softmax":
        return None
    filled = _node(softmax.args[0], nodes)
    return FinalFunction("softmax", "probabilities", filled.args[0].name) if filled else None


_WRITTEN_OUT: Mapping[str, Callable[[Node, Nodes], FinalFunction | None]] = {
    "div": _quotient,
    "reciprocal": _inverse,
    "pow": _inverse,
    "mul": _stabilised,
}


def _node(argument: Any, nodes: Nodes) -> Node | None:
    return nodes.get(argument.name) if isinstance(argument, Ref) else None


def _is_one_plus(node: Node) -> bool:
    return node.operation == "add" and node.args[1:] == (1,) and not node.kwargs


def _same(a: Any, b: Any, nodes: Nodes, depth: int = 5) -> bool:
    """Tell whether two arguments are the same value, or a few operations computed twice."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        pairs = zip(a, b, strict=False)
        return len(a) == len(b) and all(_same(x, y, nodes, depth) for x, y in pairs)
    if not isinstance(a, Ref) or not isinstance(b, Ref) or a.name == b.name:
        return bool(type(a) is type(b) and a == b)
    first, second = nodes.get(a.name), nodes.get(b.name)
    if first is None or second is None or depth == 0:
        return False
    computed = (first.operation, first.target, dict(first.kwargs))
    same = computed == (second.operation, second.target, dict(second.kwargs))
    return same and _same(first.args, second.args, nodes, depth - 1)
