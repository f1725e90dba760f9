"""Sizes of inputs that a graph leaves open, and the conditions on them under which it is right.

Records, and a small reader of conditions. Must not know how torch.export found them.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Place = tuple[str, int]  # label of an input, and a dimension of it
InputShapes = Mapping[str, tuple[int, ...]]  # label of an input -> its shape

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul},
    **{ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg},
    **{ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le},
    **{ast.Gt: operator.gt, ast.GtE: operator.ge},
}
_FUNCTIONS: Mapping[str, Callable[[list[int]], int]] = {"max": max, "min": min}


@dataclass(frozen=True)
class Condition:
    """A comparison of whole numbers, such as "s0 <= 512" or "(s0 - 1) // 2 + 1 != 1".

    Attributes:
        text: Python, of + - * // %, max, min, comparisons, or, and, whole numbers, names.
        places: Name -> the size that it stands for.

    Raises:
        ValueError: There is anything else in the text.
    """

    text: str
    places: Mapping[str, Place]

    def __post_init__(self) -> None:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id not in (*self.places, *_FUNCTIONS):
                raise ValueError(f"the name {node.id}")
        self._value(dict.fromkeys(self.places, 2))

    @cached_property
    def _tree(self) -> ast.expr:
        try:
            return ast.parse(self.text, mode="eval").body
        except (SyntaxError, RecursionError) as error:
            raise ValueError("no Python expression") from error

    def holds(self, shapes: InputShapes) -> bool:
        """Tell whether it is true of some shapes.

        Args:
            shapes: Those of all inputs, by label.
        """
        sizes = {name: shapes[label][dim] for name, (label, dim) in self.places.items()}
        return bool(self._value(sizes))

    def _value(self, sizes: Mapping[str, int]) -> int:
        return int(_evaluate(self._tree, sizes))

    def __str__(self) -> str:
        text = self.text
        for name, (label, dim) in self.places.items():
            text = re.sub(rf"\b{name}\b", lambda _: f"{label}.shape[{dim}]", text)  # noqa: B023
        return text


@dataclass(frozen=True)
class Sizes:
    """Sizes of inputs beside the batch size that a graph leaves open.

    Attributes:
        captured: The shapes that the graph was captured with; two samples at least.
        batched: Labels of inputs whose first size is that of the batch.
        free: The sizes that are open.
        fixed: Those that were to be open as well, each with what fixes it, such as a line of the
            model's code; "" if that is unknown.
        conditions: What else must be true of the shapes.
    """

    captured: InputShapes
    batched: tuple[str, ...]
    free: frozenset[Place]
    fixed: Mapping[Place, str]
    conditions: tuple[Condition, ...] = ()

    def hold(self, shapes: InputShapes) -> bool:
        """Tell whether the graph is right for these shapes.

        Args:
            shapes: Those of all inputs, by label.
        """
        alike = all(
            size == shapes[label][dim]
            for label, shape in self.captured.items()
            for dim, size in enumerate(shape)
            if (label, dim) not in self.free and not (dim == 0 and label in self.batched)
        )
        return alike and all(condition.holds(shapes) for condition in self.conditions)

    def to_document(self) -> dict[str, Any]:
        """Convert to what JSON can hold."""
        return {
            "captured": {label: list(shape) for label, shape in self.captured.items()},
            "batched": list(self.batched),
            "free": sorted(self.free),
            "fixed": sorted(self.fixed.items()),
            "conditions": [[one.text, dict(one.places)] for one in self.conditions],
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Sizes":
        """Convert back what `to_document` returned.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        shapes = {str(k): tuple(map(_size, shape)) for k, shape in document["captured"].items()}

        def place(pair: Any) -> Place:
            label, dim = pair
            if not 0 <= _size(dim) < len(shapes[label]):
                raise ValueError(f"dimension {dim!r} of {label!r}")
            return label, dim

        conditions = [
            Condition(str(text), {str(name): place(at) for name, at in places.items()})
            for text, places in document["conditions"]
        ]
        return cls(
            captured=shapes,
            batched=tuple(map(str, document["batched"])),
            free=frozenset(map(place, document["free"])),
            fixed={place(at): str(by) for at, by in document["fixed"]},
            conditions=tuple(conditions),
        )

    def __str__(self) -> str:
        free = ", ".join(map(_named, sorted(self.free)))
        told = [one for one in self.conditions if self.free.intersection(one.places.values())]
        conditions = "; ".join(dict.fromkeys(map(str, told)))
        parts = [f"any {free}" if free else "those that it was captured for"]
        parts += [f"where {conditions}"] * bool(free and conditions)
        return "; ".join([*parts, *self._fixings()])

    def _fixings(self) -> Iterator[str]:
        """Write which sizes are fixed, those together that one line fixes."""
        for by in dict.fromkeys(by for _, by in sorted(self.fixed.items())):
            alike = [place for place, other in sorted(self.fixed.items()) if other == by]
            named = [f"{_named((k, dim))} = {self.captured[k][dim]}" for k, dim in alike]
            yield f"{', '.join(named)}, fixed by {by or 'the code of the model'}"


def _size(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(f"a size of {number!r}")
    return number


def _named(place: Place) -> str:
    label, dim = place
    return f"{label}.shape[{dim}]"


def _evaluate(node: ast.AST, sizes: Mapping[str, int]) -> int:
    """Compute an expression. Raises ValueError for what is none of whole numbers."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id in sizes:
        return sizes[node.id]
    if isinstance(node, ast.BoolOp):
        holds = [bool(_evaluate(part, sizes)) for part in node.values]
        return any(holds) if isinstance(node.op, ast.Or) else all(holds)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is not None and node.args:
            return int(function([_evaluate(part, sizes) for part in node.args]))
    kind, parts = _parts(node)
    if kind not in _OPERATORS:
        raise ValueError(f"{kind.__name__} in a condition on sizes")
    values = [_evaluate(part, sizes) for part in parts]
    try:
        return int(_OPERATORS[kind](*values))
    except ZeroDivisionError:
        return 0


def _parts(node: ast.AST) -> tuple[type[ast.AST], list[ast.expr]]:
    """Return the operator of an expression, and what it joins."""
    if isinstance(node, ast.BinOp):
        return type(node.op), [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return type(node.op), [node.operand]
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return type(node.ops[0]), [node.left, *node.comparators]
    return type(node), []
