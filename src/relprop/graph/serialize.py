"""A graph as JSON data, and back. Reading a document cannot run code.

Operations are named, by `named_operations`. Tensors that the model's code holds are not in the
document; the caller stores them. Takes and gives graphs and plain data; must not know files.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch

from ..errors import InputError
from .ir import Graph, Node, Ref
from .named_operations import (
    invalid_plan,
    read_target,
    refuse_other_effects,
    refuse_other_types,
    write_target,
)
from .sizes import Sizes

_ENUMS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "memory_format": torch.memory_format,
}
_DEEPEST = 16  # levels of lists within lists in an argument; operations take two or three
_LARGEST = 2**63  # integers of torch are smaller
_NODE_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "operation", "module", "type", "base"), (str,)),
    **dict.fromkeys(("floating", "merged", "held"), (bool,)),
    "call": (int,),
    "item": (int, type(None)),
}


def to_document(graph: Graph) -> dict[str, Any]:
    """Convert a graph to what JSON can hold, without its constants.

    Raises:
        InputError: An operation or an argument has no name that a file can hold.
    """
    plain = {f.name: getattr(graph, f.name) for f in fields(Graph)}
    nodes = [_write_node(node) for node in graph.nodes]
    sizes = None if graph.sizes is None else graph.sizes.to_document()
    others = {"inputs": dict(graph.inputs), "constants": None, "sizes": sizes}
    return {**plain, "nodes": nodes, **others}


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
        graph = Graph(
            nodes=tuple(_read_node(node) for node in document["nodes"]),
            inputs=dict(document["inputs"]),
            explained=tuple(document["explained"]),
            tokens=tuple(document["tokens"]),
            output=document["output"],
            state=dict(document["state"]),
            constants=constants,
            any_batch=document["any_batch"],
            sizes=None if document.get("sizes") is None else Sizes.read(document["sizes"]),
        )
        _check(graph)
        return graph
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise invalid_plan(f"{type(error).__name__}: {error}") from error


def _write_node(node: Node) -> dict[str, Any]:
    target = write_target(node.target)
    if target is None:
        raise _nameless(f"the operation {node.target!r}", node)
    return {
        **{f.name: getattr(node, f.name) for f in fields(Node)},
        "args": _write(node.args, node),
        "kwargs": _write(dict(node.kwargs), node),
        "target": target,
    }


def _read_node(document: Mapping[str, Any]) -> Node:
    converted = {
        "args": _read(document["args"]),
        "kwargs": _read(document["kwargs"]),
        "shape": tuple(document["shape"]),
        "target": read_target(document["target"]),
    }
    node = Node(**{**document, **converted})
    for name, types in _NODE_TYPES.items():
        _require(type(getattr(node, name)) in types, f"{name} = {getattr(node, name)!r}")
    sizes = (type(size) in (int, type(None)) for size in node.shape)
    _require(all(sizes), f"the shape {node.shape!r}")
    containers = type(node.args) is tuple and type(node.kwargs) is dict
    _require(containers, f"the arguments of {node.name}")
    refuse_other_effects(node.operation, node.target, node.args, node.kwargs)
    refuse_other_types(node.target, node.args, node.kwargs)
    return node


def _check(graph: Graph) -> None:
    """Refuse a graph whose values are not computed from its inputs, each after those it reads."""
    names = [*graph.inputs.values(), *graph.state, *graph.constants]
    texts = [*graph.inputs, *names, *graph.state.values(), *graph.explained, *graph.tokens]
    _require(all(isinstance(text, str) for text in texts), "a name that is no text")
    _require(isinstance(graph.any_batch, bool), f"any_batch = {graph.any_batch!r}")
    known = set(names)
    _require(len(known) == len(names), "two values of one name")
    for node in graph.nodes:
        _require(node.name not in known, f"two values of the name {node.name!r}")
        unknown = sorted(set(node.inputs) - known)
        _require(not unknown, f"{node.name!r}, which reads {unknown} before it is computed")
        known.add(node.name)
    _require(graph.output in known, f"the output {graph.output!r}, which nothing computes")
    inputs, explained = set(graph.inputs.values()), set(graph.explained)
    _require(bool(explained) and explained <= inputs, f"explained = {graph.explained!r}")
    _require(set(graph.tokens) <= explained, f"tokens = {graph.tokens!r}")


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise invalid_plan(what)


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


def _read(document: Any, levels: int = _DEEPEST) -> Any:
    _require(levels > 0, f"an argument of more than {_DEEPEST} levels")
    if isinstance(document, list):
        return [_read(item, levels - 1) for item in document]
    if isinstance(document, int):
        _require(-_LARGEST <= document < _LARGEST, "an integer of more than 64 bits")
    if not isinstance(document, dict):
        return document
    ((kind, value),) = document.items()
    readers: dict[str, Callable[[Any], Any]] = {
        "tuple": lambda items: tuple(_read(item, levels - 1) for item in items),
        "dict": lambda items: {key: _read(item, levels - 1) for key, item in items.items()},
        "ref": Ref,
        "device": torch.device,
        **{name: _enum_reader(cls) for name, cls in _ENUMS.items()},
    }
    return readers[kind](value)


def _enum_reader(cls: type) -> Callable[[str], Any]:
    def read(name: str) -> Any:
        member = getattr(torch, name)
        if not isinstance(member, cls):
            raise invalid_plan(f"{name!r}, which is no {cls.__name__}")
        return member

    return read


def _nameless(what: str, node: Node) -> InputError:
    return InputError(
        f"{what} at {node.where}, which has no name in a file",
        "operations of torch that relprop knows, and numbers, texts, dtypes and devices as their "
        "arguments",
        "capture the model again in each session",
    )
