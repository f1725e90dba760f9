"""A graph as plain numbers, text, lists and dicts, and back. Reading one cannot run code.

Operations are named: those of torch by namespace, name and overload, and Python's arithmetic on
sizes. Tensors that the model's code holds are left out: they are given apart.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch

from ..errors import FileError, InputError
from .ir import Einsum, Graph, Item, Node, Ref

_ARITHMETIC = {"_operator": operator, "math": math, "torch": torch}
# Of Python's operators: others, such as attrgetter, would reach all of Python.
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
_ENUMS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "memory_format": torch.memory_format,
}


def to_document(graph: Graph) -> dict[str, Any]:
    """What JSON can hold of a graph, but for its constants.

    Raises InputError for a graph with an operation or an argument that has no name.
    """
    plain = {f.name: getattr(graph, f.name) for f in fields(Graph)}
    nodes = [_from_node(node) for node in graph.nodes]
    return {**plain, "nodes": nodes, "inputs": dict(graph.inputs), "constants": None}


def from_document(document: Mapping[str, Any], constants: Mapping[str, Any]) -> Graph:
    """The graph of a document. Raises FileError for what `to_document` does not write."""
    try:
        return Graph(
            nodes=tuple(_to_node(node) for node in document["nodes"]),
            inputs=dict(document["inputs"]),
            explained=tuple(document["explained"]),
            tokens=tuple(document["tokens"]),
            output=document["output"],
            state=dict(document["state"]),
            constants=constants,
            any_batch=document["any_batch"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_graph(f"{type(error).__name__}: {error}") from error


def _from_node(node: Node) -> dict[str, Any]:
    plain = {f.name: getattr(node, f.name) for f in fields(Node)}
    written = {"args": _write(node.args, node), "kwargs": _write(dict(node.kwargs), node)}
    return {**plain, **written, "target": _name(node.target, node)}


def _to_node(found: Mapping[str, Any]) -> Node:
    args, kwargs, shape = _read(found["args"]), _read(found["kwargs"]), tuple(found["shape"])
    target = _target(found["target"])
    return Node(**{**found, "args": args, "kwargs": kwargs, "shape": shape, "target": target})


def _name(target: Any, node: Node) -> Any:
    """An operation by name; a list of them where one is made of another."""
    if isinstance(target, Item):
        return ["item", target.index, _name(target.target, node)]
    if isinstance(target, Einsum):
        return ["einsum", _name(target.target, node)]
    if isinstance(target, torch._ops.OpOverload):
        return ["torch", target.namespace, target._opname, target._overloadname]
    module, name = getattr(target, "__module__", ""), getattr(target, "__name__", "")
    if _is_arithmetic(module, name) and getattr(_ARITHMETIC[module], name, None) is target:
        return ["arithmetic", module, name]
    raise _unnamed(f"the operation {target!r}", node)


def _target(found: Any) -> Callable[..., Any]:
    match found:
        case ["item", int(index), inner]:
            return Item(_target(inner), index)
        case ["einsum", inner]:
            return Einsum(_target(inner))
        case ["torch", str(namespace), str(name), str(overload)]:
            return _operation(namespace, name, overload)
        case ["arithmetic", str(module), str(name)] if _is_arithmetic(module, name):
            return getattr(_ARITHMETIC[module], name)  # type: ignore[no-any-return]
    raise _no_graph(f"the operation {found!r}")


def _is_arithmetic(module: str, name: str) -> bool:
    if module == "torch":
        return name.startswith(("sym_", "_sym_"))
    return name in (*_COMPARE, *_COMPUTE) if module == "_operator" else module == "math"


def _operation(namespace: str, name: str, overload: str) -> Callable[..., Any]:
    """An operation of torch that computes: that writes neither its arguments nor a file."""
    try:
        found = getattr(getattr(getattr(torch.ops, namespace), name), overload)
    except AttributeError:
        raise FileError(
            f"an operation that this torch {torch.__version__} does not have: "
            f"{namespace}.{name}.{overload}",
            "those of the torch, and of its extensions, that the plan was made with",
            "import the extension first, or read the model again",
        ) from None
    schema = found._schema
    if schema.is_mutable or any(argument.name == "filename" for argument in schema.arguments):
        raise _no_graph(f"the operation {namespace}.{name}.{overload}, which writes")
    return found  # type: ignore[no-any-return]


def _write(value: Any, node: Node) -> Any:
    """An argument: what JSON lacks becomes a dict with one key, its kind."""
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
    raise _unnamed(f"an argument of type {type(value).__name__}", node)


def _read(found: Any) -> Any:
    if isinstance(found, list):
        return [_read(item) for item in found]
    if not isinstance(found, dict):
        return found
    ((kind, value),) = found.items()
    readers: dict[str, Callable[[Any], Any]] = {
        "tuple": lambda items: tuple(map(_read, items)),
        "dict": lambda items: {key: _read(item) for key, item in items.items()},
        "ref": Ref,
        "device": torch.device,
        **{name: _enum(cls) for name, cls in _ENUMS.items()},
    }
    return readers[kind](value)


def _enum(cls: type) -> Callable[[str], Any]:
    def read(name: str) -> Any:
        found = getattr(torch, name)
        if not isinstance(found, cls):
            raise _no_graph(f"{name!r}, which is no {cls.__name__}")
        return found

    return read


def _unnamed(what: str, node: Node) -> InputError:
    return InputError(
        f"{what} at {node.where}, which has no name in a file",
        "operations of torch, and numbers, texts, dtypes and devices as their arguments",
        "read the model anew in each session",
    )


def _no_graph(what: str) -> FileError:
    return FileError(
        f"a plan with {what}",
        "what Explainer.save writes",
        "make the file again",
    )
