"""Recipes as text: rows to and from TOML and JSON.

    name = "my recipe"

    [[rows]]
    kinds = ["convolution"]
    depth = "first"
    rule = "z-box"
    low = 0.0
    high = 1.0

A row's keys are those of its selector, `rule`, and the rule's parameters.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w
import torch
from torch import Tensor

from ..errors import InputError
from ..rules.registry import Rule
from ..support.arguments import suggest
from .selectors import RecipeRow, Selector

_SELECTOR = ("name", "type", "operation", "kinds", "depth")
_TOP = dict.fromkeys(("name", "automatic", "rows"))


@dataclass(frozen=True)
class Document:
    """What the text of a recipe says; see `Recipe`."""

    name: str
    rows: tuple[RecipeRow, ...]
    automatic: bool


def to_toml(document: Document) -> str:
    """TOML that `from_toml` reads. Raises InputError for a rule of one's own."""
    return tomli_w.dumps(_fields(document))


def to_json(document: Document) -> str:
    """JSON that `from_json` reads. Raises InputError for a rule of one's own."""
    return json.dumps(_fields(document), indent=2) + "\n"


def from_toml(text: str) -> Document:
    """What TOML says. Raises InputError for text that is no recipe, and says where."""
    try:
        return _document(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"text that is no TOML: {error}", "TOML", "mend it there") from error


def from_json(text: str) -> Document:
    """What JSON says. Raises InputError for text that is no recipe, and says where."""
    try:
        return _document(json.loads(text))
    except json.JSONDecodeError as error:
        raise InputError(f"text that is no JSON: {error}", "JSON", "mend it there") from error


def _fields(document: Document) -> dict[str, Any]:
    rows = [_row(row) for row in document.rows]
    return {"name": document.name, "automatic": document.automatic, "rows": rows}


def _row(row: RecipeRow) -> dict[str, Any]:
    if row.rule.own is not None:
        raise InputError(
            f'the rule "{row.rule.name}", made by relprop.rule',
            "the rules that relprop has",
            "keep the recipe as code",
        )
    selector = {key: getattr(row.selector, key) for key in _SELECTOR}
    fields = {key: _plain(value) for key, value in selector.items() if value is not None}
    fields |= {"required": True} if row.required else {}
    parameters = {key: _plain(value) for key, value in row.rule.parameters.items()}
    return {**fields, "rule": row.rule.name, **parameters}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _document(found: Any) -> Document:
    rows = found.get("rows", []) if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise InputError("text without rows", "name, rows", 'write [[rows]] and rule = "epsilon"')
    for key in found:
        if key not in _TOP:
            raise InputError(f"the key {key!r} in a recipe", ", ".join(_TOP), suggest(key, _TOP))
    automatic = found.get("automatic", False)
    if not isinstance(automatic, bool):
        raise InputError(f"automatic = {automatic!r}", "true, false", "automatic = true")
    if not rows and not automatic:
        raise InputError("text without rows", "name, rows", 'write [[rows]] and rule = "epsilon"')
    name = str(found.get("name", "recipe"))
    return Document(name, _parsed_rows(rows), automatic)


def _parsed_rows(rows: Sequence[Any]) -> tuple[RecipeRow, ...]:
    return tuple(_parsed(row, number) for number, row in enumerate(rows, 1))


def _parsed(row: Any, number: int) -> RecipeRow:
    if not isinstance(row, Mapping) or "rule" not in row:
        given = f"row {number} without a rule"
        raise InputError(given, "a table with a rule", 'write rule = "epsilon"')
    fields = dict(row)
    chosen = {key: fields.pop(key) for key in _SELECTOR if key in fields}
    if "kinds" in chosen:
        kinds = chosen["kinds"]
        chosen["kinds"] = tuple(kinds) if isinstance(kinds, list) else (kinds,)
    required = fields.pop("required", False) is True
    rule = fields.pop("rule")
    parameters = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in fields.items()}
    return RecipeRow(Selector(**chosen), Rule(rule, parameters), required)
