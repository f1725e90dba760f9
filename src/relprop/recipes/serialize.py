"""Text form of recipes: TOML and JSON.

    name = "my recipe"

    [[rows]]
    kinds = ["convolution"]
    depth = "first"
    rule = "z-box"
    low = 0.0
    high = 1.0

The keys of a row are those of its selector, `rule`, `required`, and the parameters of the rule. A
tensor is a table, `{ dtype = "float64", values = [[[0.1]], [[0.2]]] }`, which restores it exactly;
a plain list is also read, as `torch.tensor` reads it.
Takes the fields of a recipe, gives text, and back. Must not know what the rules do.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import InputError, first_line
from ..rules.rule import Rule
from ..support.arguments import suggest
from .selectors import RecipeRow, Selector

_SELECTOR = ("name", "type", "operation", "kinds", "depth")
_TOP = ("name", "automatic", "rows")
_NO_ROWS = ("text without rows", "name, rows", 'write [[rows]] and rule = "epsilon"')
_MOST_DIMENSIONS = 64  # torch makes tensors of more, but cannot compute with them
_TENSOR = '{ dtype = "float32", values = [[[0.0]]] }'


class RecipeFields(NamedTuple):
    """The fields of a `Recipe`, in their order."""

    name: str
    rows: tuple[RecipeRow, ...]
    automatic: bool


def to_toml(fields: RecipeFields) -> str:
    """Write a recipe as TOML. Raises InputError for a rule made by `relprop.rule`."""
    import tomli_w  # loaded on use, as is tomllib

    return tomli_w.dumps(_as_table(fields))


def to_json(fields: RecipeFields) -> str:
    """Write a recipe as JSON. Raises InputError for a rule made by `relprop.rule`."""
    return json.dumps(_as_table(fields), indent=2) + "\n"


def from_toml(text: str) -> RecipeFields:
    """Parse a recipe written as TOML. Raises InputError where the text is none."""
    import tomllib

    return _parse(_loaded(text, tomllib.loads, "TOML"))


def from_json(text: str) -> RecipeFields:
    """Parse a recipe written as JSON. Raises InputError where the text is none."""
    return _parse(_loaded(text, json.loads, "JSON"))


def _loaded(text: object, loads: Callable[[str], Any], language: str) -> Any:
    """Return the data of a text. Raises InputError where it is none, or is nested too deep."""
    if not isinstance(text, str):
        given = f"a recipe of type {type(text).__name__}"
        raise InputError(given, "its text, a str", "write Path(path).read_text()")
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        given = f"text that is not {language}: {first_line(error)}"
        raise InputError(given, language, "correct it there") from error


def _as_table(fields: RecipeFields) -> dict[str, Any]:
    rows = [_row_as_table(row) for row in fields.rows]
    return {"name": fields.name, "automatic": fields.automatic, "rows": rows}


def _row_as_table(row: RecipeRow) -> dict[str, Any]:
    if row.rule.own is not None:
        raise InputError(
            f'the rule "{row.rule.name}", made by relprop.rule',
            "the rules that relprop has",
            "keep the recipe as code",
        )
    conditions = {key: getattr(row.selector, key) for key in _SELECTOR}
    selector = {key: _as_plain(value) for key, value in conditions.items() if value is not None}
    required = {"required": True} if row.required else {}
    parameters = {key: _as_plain(value) for key, value in row.rule.parameters.items()}
    return {**selector, **required, "rule": row.rule.name, **parameters}


def _as_plain(value: Any) -> Any:
    """Convert a value to what TOML and JSON can hold, without loss."""
    if isinstance(value, Tensor):
        return {"dtype": str(value.dtype).removeprefix("torch."), "values": value.tolist()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Real) and not isinstance(value, int | float):
        return float(value)  # a number of NumPy's, say
    return value


def _parse(table: Any) -> RecipeFields:
    rows = table.get("rows", []) if isinstance(table, dict) else None
    if not isinstance(rows, list):
        raise InputError(*_NO_ROWS)
    for key in table:
        if key not in _TOP:
            raise InputError(f"the key {key!r} in a recipe", ", ".join(_TOP), suggest(key, _TOP))
    automatic = table.get("automatic", False)
    if not isinstance(automatic, bool):
        raise InputError(f"automatic = {automatic!r}", "true, false", "write automatic = true")
    if not rows and not automatic:
        raise InputError(*_NO_ROWS)
    name = table.get("name", "recipe")
    if not isinstance(name, str):
        raise InputError(f"name = {name!r}", "a text", 'write name = "mine"')
    return RecipeFields(name, _parse_rows(rows), automatic)


def _parse_rows(rows: Sequence[Any]) -> tuple[RecipeRow, ...]:
    return tuple(_parse_row(row, number) for number, row in enumerate(rows, 1))


def _parse_row(row: Any, number: int) -> RecipeRow:
    if not isinstance(row, Mapping) or "rule" not in row:
        given = f"row {number} without a rule"
        raise InputError(given, "a table with a rule", 'write rule = "epsilon"')
    fields = dict(row)
    selector = {key: fields.pop(key) for key in _SELECTOR if key in fields}
    if "kinds" in selector:
        kinds = selector["kinds"]
        selector["kinds"] = tuple(kinds) if isinstance(kinds, list) else (kinds,)
    required = fields.pop("required", False)
    if not isinstance(required, bool):
        raise InputError(f"required = {required!r}", "true, false", "write required = true")
    rule = fields.pop("rule")
    parameters = {key: _parse_value(key, value) for key, value in fields.items()}
    return RecipeRow(Selector(**selector), Rule(rule, parameters), required)


def _parse_value(key: str, value: Any) -> Any:
    """Convert a parameter: a table or a list is a tensor, anything else stays as it is."""
    if isinstance(value, list):
        return _parse_tensor(key, value, None)
    if not isinstance(value, Mapping):
        return value
    if set(value) != {"dtype", "values"}:
        raise InputError(f"{key} = {dict(value)}", "dtype, values", f"write {key} = {_TENSOR}")
    dtype = getattr(torch, str(value["dtype"]), None)
    if not isinstance(dtype, torch.dtype):
        given = f"the dtype {value['dtype']!r} of {key}"
        raise InputError(given, "a dtype of torch's, such as float64", f"write {key} = {_TENSOR}")
    return _parse_tensor(key, value["values"], dtype)


def _parse_tensor(key: str, values: Any, dtype: torch.dtype | None) -> Tensor:
    try:
        tensor = torch.tensor(values, dtype=dtype)
        if tensor.ndim > _MOST_DIMENSIONS:
            raise ValueError(f"{tensor.ndim} dimensions")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        allowed = "numbers, in nested lists of equal lengths"
        raise InputError(f"{key} with {values!r}", allowed, f"write {key} = {_TENSOR}") from error
    return tensor
