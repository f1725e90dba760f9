"""The graph of a model: the operations that it runs, as records.

`capture` makes a graph. A graph can run itself; it knows nothing of rules or relevance.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from ..support.output_kinds import OutputKind
from ..support.torch_private import OperationName, operation_name
from .sizes import Sizes

Values = Mapping[str, Any]  # value name -> value


@dataclass(frozen=True)
class Ref:
    """A reference to a value: an input, a parameter, or the result of the node of this name."""

    name: str


class HoldsOperation:
    """Pickles one of torch's operations by its name, since it cannot be pickled itself."""

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name in _fields(type(self))}
        return {**state, "target": operation_name(state["target"]) or state["target"]}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        target = state["target"]
        if isinstance(target, OperationName):
            packet = getattr(getattr(torch.ops, target.namespace), target.name)
            target = getattr(packet, target.overload)
        vars(self).update({**state, "target": target})


def _fields(record: Any) -> set[str]:
    return {one.name for one in fields(record)}


@dataclass(frozen=True)
class Node(HoldsOperation):
    """One operation of the model; its result has the node's name.

    Attributes:
        name: Unique name of the node and of the value that it computes.
        operation: torch's name of the operation, such as "conv2d" or "relu".
        target: The function that runs it.
        args: Positional arguments; a value computed by another node is a `Ref`.
        kwargs: Keyword arguments, likewise.
        module: Dotted name of the module that ran it, "" for the model itself.
        type: Class name of that module, such as "Conv2d".
        call: How often that module had been called before, in this run of the model.
        shape: Shape of the result, with None where a size follows the batch size; () if the
            result is not a tensor.
        floating: Whether the result is a tensor of floating point or complex numbers.
        merged: Whether one dimension of the result runs over samples and something else together.
        item: Index of the result, for an operation that returns several.
        base: Name of the torch.nn class that the module is an instance of: that of a subclass of
            nn.Linear is "Linear". "" for other modules.
        held: Whether relevance counts the result as constant, though it may depend on the input:
            the share, between 0 and 1, that a stabiliser leaves of each row of a softmax; what
            masks its logits.
    """

    name: str
    operation: str
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    module: str
    type: str
    call: int
    shape: tuple[int | None, ...]
    floating: bool
    merged: bool = False
    item: int | None = None
    base: str = ""
    held: bool = False

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """List the names of the values that it reads, each once, in order of appearance."""
        return tuple(dict.fromkeys(ref.name for ref in refs((self.args, dict(self.kwargs)))))

    @property
    def where(self) -> str:
        """Name its module and operation, for messages."""
        return f'"{self.module}" ({self.operation})' if self.module else f"{self.operation}"

    @cached_property
    def resolve_args(self) -> Callable[[Values], tuple[Any, ...]]:
        """Return a function from values by name to the positional arguments."""
        return resolver(self.args)

    @cached_property
    def resolve_kwargs(self) -> Callable[[Values], dict[str, Any]]:
        """Return a function from values by name to the keyword arguments."""
        return resolver(dict(self.kwargs))

    @cached_property
    def run(self) -> Callable[[Values], Any]:
        """Return a function from values by name to the result of the operation."""
        target, resolve_args, resolve_kwargs = self.target, self.resolve_args, self.resolve_kwargs
        if not self.kwargs:
            return lambda values: target(*resolve_args(values))
        return lambda values: target(*resolve_args(values), **resolve_kwargs(values))


@dataclass(frozen=True)
class Head:
    """What a model's output is, and which value is explained.

    Attributes:
        kind: What the numbers of the output are.
        scores: Name of the value that relevance starts from, in the output's shape; "" for the
            output itself.
        explained: What that value is, as in 'input of "1" (sigmoid)'; "" for the output itself.
        named: What squashes the output and is explained with it, since rows of the recipe name it,
            as in '"1" (sigmoid)'; "" for nothing.
    """

    kind: OutputKind = "logits"
    scores: str = ""
    explained: str = ""
    named: str = ""

    def __str__(self) -> str:
        """Say what is explained; "" for the output of a model that ends with scores."""
        return self.explained or (self.named and f"result of {self.named}, by a row of the recipe")


@dataclass(frozen=True)
class Graph:
    """What a model computes: functional operations, each after those whose results it reads.

    Attributes:
        nodes: The operations in the order in which they run.
        inputs: Label of a tensor that the model is called with -> name of its value.
        explained: Names of the input values that relevance is computed for.
        tokens: Those of them that hold integers, which the model looks up in an embedding.
        output: Name of the model's output.
        state: Value name -> dotted name of a parameter or buffer. Runs take the current numbers
            from the model.
        constants: Value name -> tensor held by the model's code outside parameters and buffers.
        any_batch: Whether the graph is right for any number of samples; if not, it is right only
            for the input that it was captured with.
        head: What the output is, once that was found out; None before.
        sizes: Which sizes beside that of the batch are open, and on what conditions; None if the
            graph is right for the sizes that it was captured with alone. The shapes of nodes are
            those of the capture.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, str]
    explained: tuple[str, ...]
    tokens: tuple[str, ...]
    output: str
    state: Mapping[str, str]
    constants: Mapping[str, Any] = field(repr=False)
    any_batch: bool = True
    head: Head | None = None
    sizes: Sizes | None = None

    @property
    def scores(self) -> str:
        """Name the value that relevance starts from: the output, or the logits before its end."""
        return (self.head and self.head.scores) or self.output

    def node(self, name: str) -> Node | None:
        """Find the node that computes a value; None for an input, a parameter or a constant."""
        return next((node for node in self.nodes if node.name == name), None)

    def nodes_to_compute(self, name: str, known: Container[str]) -> list[Node]:
        """List the nodes that compute one value from known values, in the order of running.

        This is the backward slice of the graph at `name`, cut off at the known values.
        """
        needed, nodes = {name}, list[Node]()
        for node in () if name in known else reversed(self.nodes):
            if node.name in needed and node.name not in known:
                nodes.append(node)
                needed.update(node.inputs)
        return nodes[::-1]

    def compute(self, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """Compute one value; returns it with the known values and all others on the way to it."""
        values = dict(known)
        for node in self.nodes_to_compute(name, known):
            values[node.name] = node.run(values)
        return values

    def initial_values(self, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Collect all values that no node computes: inputs, state and constants.

        Args:
            inputs: Label -> tensor.
            state: Value name -> parameter or buffer.
        """
        by_name = {name: inputs[label] for label, name in self.inputs.items()}
        return {**state, **self.constants, **by_name}

    def run(self, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """Compute the model's output by running every node; arguments as for initial_values."""
        return self.run_all(inputs, state)[self.output]

    def run_all(self, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """Compute all values by name; arguments as for initial_values."""
        values = self.initial_values(inputs, state)
        for node in self.nodes:
            values[node.name] = node.run(values)
        return values


def resolver(arguments: Any) -> Callable[[Values], Any]:
    """Return a function from values by name to `arguments` with each Ref replaced by its value.

    The search for Refs happens here, once: the function that is returned may run many times.
    """
    if isinstance(arguments, Ref):
        return itemgetter(arguments.name)
    if next(refs(arguments), None) is None:
        return lambda values: arguments
    if isinstance(arguments, dict):
        items = [(key, resolver(item)) for key, item in arguments.items()]
        return lambda values: {key: resolve(values) for key, resolve in items}
    return _sequence_resolver(arguments)


def _sequence_resolver(arguments: Any) -> Callable[[Values], Any]:
    """Resolve a list or tuple with a Ref in it; the two most frequent forms have a fast path."""
    kind, items = type(arguments), list(arguments)
    resolvers = [(i, resolver(item)) for i, item in enumerate(items) if any(refs(item))]
    if kind is tuple and len(items) > 1 and all(isinstance(item, Ref) for item in items):
        return itemgetter(*(ref.name for ref in items))
    if kind is tuple and [i for i, _ in resolvers] == [0]:
        (_, first), rest = resolvers[0], arguments[1:]
        return lambda values: (first(values), *rest)

    def resolve(values: Values) -> Any:
        resolved = items.copy()
        for i, resolve_item in resolvers:
            resolved[i] = resolve_item(values)
        return kind(resolved)

    return resolve


def refs(value: Any) -> Iterator[Ref]:
    """Yield all Refs among arguments, in order of appearance."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from refs(item)
    elif isinstance(value, dict):
        yield from refs(list(value.values()))


@dataclass(frozen=True)
class Einsum(HoldsOperation):
    """torch.einsum that takes each factor as an argument of its own, rather than a list."""

    target: Callable[..., Any]

    def __call__(self, equation: str, *factors: Tensor, path: Any = None) -> Any:
        return self.target(equation, list(factors), path=path)


@dataclass(frozen=True)
class Item(HoldsOperation):
    """One result of an operation that returns several, as an operation of its own."""

    target: Callable[..., Any]
    index: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)[self.index]
