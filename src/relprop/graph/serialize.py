"""A graph as JSON data, and back. Reading a document cannot run code.

Operations are named: those of torch by namespace, name and overload, and Python's arithmetic on
sizes. Tensors that the model's code holds are not in the document; the caller stores them. Takes
and gives graphs and plain data; must not know files.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch

from ..errors import FileError, InputError
from ..support.torch_private import argument_names, operation_name, writes_memory
from .ir import Einsum, Graph, Item, Node, Ref

_ARITHMETIC = {"_operator": operator, "math": math, "torch": torch}
# Of Python's operators only these: others, such as attrgetter, would reach all of Python.
_COMPARE = ("eq", "ge", "gt", "le", "lt", "ne", "not_", "and_", "or_")
_COMPUTE = (
    "abs",
    "add",
    "floordiv",
    "getitem",
    "mod",
    "mul",
    "neg",
    "pos",
    "pow",
    "sub",
    "truediv",
)
_OPERATORS = (*_COMPARE, *_COMPUTE)
_ENUMS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "memory_format": torch.memory_format,
}


def to_document(graph: Graph) -> dict[str, Any]:
    """Convert a graph to what JSON can hold, without its constants.

    Raises:
        InputError: An operation or an argument has no name that a file can hold.
    """
    plain = {f.name: getattr(graph, f.name) for f in fields(Graph)}
    nodes = [_write_node(node) for node in graph.nodes]
    return {**plain, "nodes": nodes, "inputs": dict(graph.inputs), "constants": None}


def from_document(document: Mapping[str, Any], constants: Mapping[str, Any]) -> Graph:
    """Convert a document back to the graph.

    Fields that Node has gained since the document was written take their defaults.

    Args:
        document: What `to_document` returned.
        constants: The graph's constants, by value name.

    Raises:
        FileError: The document is not one that `to_document` writes.
    """
    try:
        return Graph(
            nodes=tuple(_read_node(node) for node in document["nodes"]),
            inputs=dict(document["inputs"]),
            explained=tuple(document["explained"]),
            tokens=tuple(document["tokens"]),
            output=document["output"],
            state=dict(document["state"]),
            constants=constants,
            any_batch=document["any_batch"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _invalid(f"{type(error).__name__}: {error}") from error


def _write_node(node: Node) -> dict[str, Any]:
    return {
        **{f.name: getattr(node, f.name) for f in fields(Node)},
        "args": _write(node.args, node),
        "kwargs": _write(dict(node.kwargs), node),
        "target": _write_target(node.target, node),
    }


def _read_node(document: Mapping[str, Any]) -> Node:
    converted = {
        "args": _read(document["args"]),
        "kwargs": _read(document["kwargs"]),
        "shape": tuple(document["shape"]),
        "target": _read_target(document["target"]),
    }
    return Node(**{**document, **converted})


def _write_target(target: Any, node: Node) -> Any:
    """Name an operation by a list; one that wraps another holds the other's list."""
    if isinstance(target, Item):
        return ["item", target.index, _write_target(target.target, node)]
    if isinstance(target, Einsum):
        return ["einsum", _write_target(target.target, node)]
    operation = operation_name(target)
    if operation is not None:
        return ["torch", *operation]
    module, name = getattr(target, "__module__", ""), getattr(target, "__name__", "")
    if _is_arithmetic(module, name) and getattr(_ARITHMETIC[module], name, None) is target:
        return ["arithmetic", module, name]
    raise _nameless(f"the operation {target!r}", node)


def _read_target(document: Any) -> Callable[..., Any]:
    match document:
        case ["item", int(index), inner]:
            return Item(_read_target(inner), index)
        case ["einsum", inner]:
            return Einsum(_read_target(inner))
        case ["torch", str(namespace), str(name), str(overload)]:
            return _operation(namespace, name, overload)
        case ["arithmetic", str(module), str(name)] if _is_arithmetic(module, name):
            return getattr(_ARITHMETIC[module], name)  # type: ignore[no-any-return]
    raise _invalid(f"the operation {document!r}")


def _is_arithmetic(module: str, name: str) -> bool:
    if module == "torch":
        return name.startswith(("sym_", "_sym_"))
    return name in _OPERATORS if module == "_operator" else module == "math"


def _operation(namespace: str, name: str, overload: str) -> Callable[..., Any]:
    """Look up an operation of torch; one that writes its arguments or a file is refused."""
    try:
        operation = getattr(getattr(getattr(torch.ops, namespace), name), overload)
    except AttributeError:
        raise FileError(
            f"an operation that this torch {torch.__version__} does not have: "
            f"{namespace}.{name}.{overload}",
            "those of the torch, and of its extensions, that the plan was made with",
            "import the extension first, or capture the model again",
        ) from None
    if writes_memory(operation) or "filename" in argument_names(operation):
        raise _invalid(f"the operation {namespace}.{name}.{overload}, which writes")
    return operation  # type: ignore[no-any-return]


def _write(value: Any, node: Node) -> Any:
    """Convert an argument; what JSON lacks becomes a dict with one key, its kind."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_write(item, node) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_write(item, node) for item in value]}
    if isinstance(value, dict):
        return {"dict": {key: _write(item, node) for key, item in value.items()}}
    if isinstance(value, Ref):
        return {"ref": value.name}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    for kind, cls in _ENUMS.items():
        if isinstance(value, cls):
            return {kind: str(value).removeprefix("torch.")}
    raise _nameless(f"an argument of type {type(value).__name__}", node)


def _read(document: Any) -> Any:
    if isinstance(document, list):
        return [_read(item) for item in document]
    if not isinstance(document, dict):
        return document
    ((kind, value),) = document.items()
    readers: dict[str, Callable[[Any], Any]] = {
        "tuple": lambda items: tuple(map(_read, items)),
        "dict": lambda items: {key: _read(item) for key, item in items.items()},
        "ref": Ref,
        "device": torch.device,
        **{name: _enum_reader(cls) for name, cls in _ENUMS.items()},
    }
    return readers[kind](value)


def _enum_reader(cls: type) -> Callable[[str], Any]:
    def read(name: str) -> Any:
        member = getattr(torch, name)
        if not isinstance(member, cls):
            raise _invalid(f"{name!r}, which is no {cls.__name__}")
        return member

    return read


def _nameless(what: str, node: Node) -> InputError:
    return InputError(
        f"{what} at {node.where}, which has no name in a file",
        "operations of torch, and numbers, texts, dtypes and devices as their arguments",
        "capture the model again in each session",
    )


def _invalid(what: str) -> FileError:
    return FileError(
        f"a plan with {what}",
        "what Explainer.save writes",
        "save the plan again",
    )
