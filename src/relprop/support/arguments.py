"""Keyword arguments of functions that are looked up by name, and names that were misspelt."""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import InputError


def keyword_parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function, by name."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def suggest(name: object, names: Iterable[str]) -> str:
    """The end of a sentence that offers the name nearest to a misspelt one."""
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f'write "{near[0]}"' if near else "choose one of these"


def complete_parameters(
    what: str, known: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """All parameters in order, defaults filled in; unknown and missing ones are errors."""
    allowed = ", ".join(known) or "no parameters"
    for name in given:
        if name not in known:
            todo = suggest(name, known) if known else "leave it out"
            raise InputError(f"{what} was given the parameter {name!r}", allowed, todo)
    for name, parameter in known.items():
        if name not in given and parameter.default is inspect.Parameter.empty:
            raise InputError(f"{what} was not given {name!r}", allowed, f"write {name}=...")
    return {name: given.get(name, parameter.default) for name, parameter in known.items()}
