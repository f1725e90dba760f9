"""The graph of a model: the operations that it runs, as records.

`capture` makes it. Knows nothing of rules or relevance.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

from torch import Tensor

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Ref:
    """A reference to the value that the node of this name makes."""

    name: str


@dataclass(frozen=True)
class Node:
    """One operation of the model.

    operation   torch's name of it, such as "conv2d" or "relu"
    args        its arguments; a value that another node makes stands there as a Ref
    module      dotted name of the module that ran it, "" for the model itself
    type        name of that module's class, such as "Conv2d"
    call        that module's how-manieth call of the model's run this is, from 0
    shape       of its result, None where it follows the batch size; () if it is not a tensor
    floating    whether its result is a tensor of floating point numbers, or complex ones
    merged      a dimension of the result runs over samples and something else together
    item        which result it is, of an operation that returns several
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

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values that it takes, each once, in order of appearance."""
        return tuple(dict.fromkeys(ref.name for ref in refs((self.args, dict(self.kwargs)))))

    @property
    def where(self) -> str:
        """How messages name it: its module and its operation."""
        return f'"{self.module}" ({self.operation})' if self.module else f"{self.operation}"

    @cached_property
    def resolve_args(self) -> Callable[[Values], tuple[Any, ...]]:
        """From the values of the names that it refers to, to its positional arguments."""
        return resolver(self.args)

    @cached_property
    def resolve_kwargs(self) -> Callable[[Values], dict[str, Any]]:
        """From the values of the names that it refers to, to its keyword arguments."""
        return resolver(dict(self.kwargs))

    @cached_property
    def run(self) -> Callable[[Values], Any]:
        """From the values of the names that it refers to, to its result."""
        target, arguments, named = self.target, self.resolve_args, self.resolve_kwargs
        if not self.kwargs:
            return lambda values: target(*arguments(values))
        return lambda values: target(*arguments(values), **named(values))


@dataclass(frozen=True)
class Graph:
    """What a model computes: functional operations in the order in which they run.

    inputs     label of a tensor that the model is called with -> name of its value
    explained  names of the input values that relevance is taken of
    tokens     those of them that hold integers, to be looked up in an embedding
    state      value name -> dotted name of the parameter or buffer, looked up in the model when run
    constants  value name -> tensor that the model's code holds outside parameters and buffers
    any_batch  it is right for any number of samples; if not, for the one input that it was read on
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, str]
    explained: tuple[str, ...]
    tokens: tuple[str, ...]
    output: str
    state: Mapping[str, str]
    constants: Mapping[str, Any] = field(repr=False)
    any_batch: bool = True

    def node(self, name: str) -> Node | None:
        """The node that makes a value; None for an input or a constant."""
        return next((node for node in self.nodes if node.name == name), None)

    def nodes_to_compute(self, name: str, known: Container[str]) -> list[Node]:
        """The operations that compute one value from those that are known, in order."""
        wanted, found = {name}, list[Node]()
        for node in () if name in known else reversed(self.nodes):
            if node.name in wanted and node.name not in known:
                found.append(node)
                wanted.update(node.inputs)
        return found[::-1]

    def compute(self, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """One value and all that it is computed from, by as few operations as there need be."""
        values = dict(known)
        for node in self.nodes_to_compute(name, known):
            values[node.name] = node.run(values)
        return values

    def initial_values(self, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
        """All values that no operation makes, by name.

        inputs  label -> tensor                 state  its parameters and buffers, by value name
        """
        by_name = {name: inputs[label] for label, name in self.inputs.items()}
        return {**state, **self.constants, **by_name}

    def run(self, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> Any:
        """The model's output, by its operations just as they are."""
        values = self.initial_values(inputs, state)
        for node in self.nodes:
            values[node.name] = node.run(values)
        return values[self.output]


def resolver(value: Any) -> Callable[[Values], Any]:
    """The function from values by name to the same arguments with each Ref replaced by its value.

    Looks through the arguments once: their operation may run many times.
    """
    if isinstance(value, Ref):
        return itemgetter(value.name)
    if next(refs(value), None) is None:
        return lambda values: value
    if isinstance(value, dict):
        items = [(key, resolver(item)) for key, item in value.items()]
        return lambda values: {key: bind(values) for key, bind in items}
    kind, plain = type(value), list(value)
    places = [(i, resolver(item)) for i, item in enumerate(plain) if any(refs(item))]
    if kind is tuple and len(plain) > 1 and all(isinstance(item, Ref) for item in plain):
        return itemgetter(*(ref.name for ref in plain))
    if kind is tuple and [i for i, _ in places] == [0]:
        (_, first), rest = places[0], value[1:]
        return lambda values: (first(values), *rest)

    def bind(values: Values) -> Any:
        bound = plain.copy()
        for i, one in places:
            bound[i] = one(values)
        return kind(bound)

    return bind


def refs(value: Any) -> Iterator[Ref]:
    """All Refs among arguments."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from refs(item)
    elif isinstance(value, dict):
        yield from refs(list(value.values()))


@dataclass(frozen=True)
class Einsum:
    """torch.einsum with each factor as an argument of its own."""

    target: Callable[..., Any]

    def __call__(self, equation: str, *factors: Tensor, path: Any = None) -> Any:
        return self.target(equation, list(factors), path=path)


@dataclass(frozen=True)
class Item:
    """One result of an operation that returns several, as an operation of its own."""

    target: Callable[..., Any]
    index: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)[self.index]
