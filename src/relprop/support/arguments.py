"""Names and keyword arguments as users write them: checked, completed, corrected.

Takes what the user wrote and what is allowed. Gives complete arguments, or an error that suggests
the nearest allowed name. Must not know what the names stand for.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import InputError

# difflib's similarity, 0 to 1: below it two names have so little in common that one is hardly a
# misspelling of the other, and the suggestion would mislead: "explain" for "epsilon" has 0.71.
SIMILAR = 0.8
# So many letters that one name begins with are no accident.
_BEGINNING = 3


def keyword_parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the keyword-only parameters of a function, by name."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def suggest(name: object, names: Iterable[str], otherwise: str = "choose one of these") -> str:
    """Say which of `names` to write in place of a misspelt one; `otherwise` if none is near.

    It is the "to do" of an error whose "allowed" lists the names.

    Example:
        >>> suggest("epsilom", ["zero", "epsilon"])
        'write "epsilon"'
        >>> suggest("alpha", ["zero", "epsilon"])
        'choose one of these'
    """
    given = _letters(str(name))
    by_letters = {_letters(other): other for other in reversed(list(names))}
    near = difflib.get_close_matches(given, by_letters, n=1, cutoff=SIMILAR)
    if not near and len(given) >= _BEGINNING:
        near = sorted((other for other in by_letters if other.startswith(given)), key=len)
    return f'write "{by_letters[near[0]]}"' if near else otherwise


def _letters(name: str) -> str:
    """Return a name without what is often written otherwise: capitals, and what joins words."""
    return re.sub(r"[-_ ]", "", name.lower())


def complete_parameters(
    owner: str, parameters: Mapping[str, inspect.Parameter], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a value for each parameter, in their order: the caller's, or else the default.

    Args:
        owner: What takes the parameters, as errors name it, such as 'rule "gamma"'.
        parameters: The parameters by name, as `keyword_parameters` returns them.
        values: What the caller passed, by name.

    Raises:
        InputError: A name that is no parameter, or a parameter without default that has no value.
    """
    allowed = ", ".join(parameters) or "no parameters"
    for name in values:
        if name not in parameters:
            todo = suggest(name, parameters) if parameters else "leave it out"
            raise InputError(f"{owner} was given the parameter {name!r}", allowed, todo)
    for name, parameter in parameters.items():
        if name not in values and parameter.default is inspect.Parameter.empty:
            raise InputError(f"{owner} was not given {name!r}", allowed, f"write {name}=...")
    return {name: values.get(name, parameter.default) for name, parameter in parameters.items()}


def check_seed(seed: object) -> None:
    """Raise InputError unless a random seed is one that all generators take."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}", "a whole number from 0 to 2**63 - 1", "write seed=0")
