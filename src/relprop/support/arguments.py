"""Names and keyword arguments as users write them: checked, completed, corrected.

Takes what the user wrote and what is allowed. Gives complete arguments, or an error that suggests
the nearest allowed name. Must not know what the names stand for.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import InputError

# difflib's similarity, 0 to 1: below it two names have so little in common that one is hardly a
# misspelling of the other, and the suggestion would mislead: "explain" for "epsilon" has 0.71.
SIMILAR = 0.8
_SHORTEST = 3  # letters of an abbreviation; fewer are in many names


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
    if not near:
        near = sorted((other for other in by_letters if _is_short_for(given, other)), key=len)
    return f'write "{by_letters[near[0]]}"' if near else otherwise


def _is_short_for(given: str, name: str) -> bool:
    """Tell whether one of two names abbreviates the other, as "eps" and "cmap" do.

    A given name that goes on after another, as "epsilonplus" after "epsilon", says more than that.
    """
    short, long = sorted((given, name), key=len)
    letters = iter(long)
    in_order = all(letter in letters for letter in short)
    goes_on = given.startswith(name)
    return len(short) >= _SHORTEST and short[0] == long[0] and in_order and not goes_on


def _letters(name: str) -> str:
    """Return a name without what is often written otherwise: capitals, and what joins words."""
    return re.sub(r"[-_ ]", "", name.lower())


def complete_parameters(
    owner: str,
    parameters: Mapping[str, inspect.Parameter],
    values: Mapping[str, Any],
    examples: Mapping[str, str] = MappingProxyType({}),
    call: str = "{}",
) -> dict[str, Any]:
    """Return a value for each parameter, in their order: the caller's, or else the default.

    Args:
        owner: What takes the parameters, as errors name it, such as 'rule "gamma"'.
        parameters: The parameters by name, as `keyword_parameters` returns them.
        values: What the caller passed, by name.
        examples: Values to write for parameters without default, in errors.
        call: What to write in errors, with the missing parameters as {}.

    Raises:
        InputError: A name that is no parameter, or a parameter without default that has no value.
    """
    allowed = ", ".join(parameters) or "no parameters"
    for name in values:
        if name not in parameters:
            todo = suggest(name, parameters) if parameters else "leave it out"
            raise InputError(f"{owner} was given the parameter {name!r}", allowed, todo)
    required = [n for n, p in parameters.items() if p.default is inspect.Parameter.empty]
    missing = [name for name in required if name not in values]
    if missing:
        given = f"{owner} was not given {' and '.join(map(repr, missing))}"
        line = ", ".join(f"{name}={examples.get(name, '...')}" for name in missing)
        raise InputError(given, allowed, "write " + call.format(line))
    return {name: values.get(name, parameter.default) for name, parameter in parameters.items()}


def check_one_of(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise InputError unless a setting is one of some words.

    Args:
        name: What the setting is called.
        value: What was given.
        allowed: The words.
    """
    words = list(allowed)
    if value not in words:
        listed = ", ".join(f'"{word}"' for word in words)
        todo = suggest(value, words, otherwise=f'write {name}="{words[0]}"')
        raise InputError(f"{name} is {value!r}", listed, todo)


def check_seed(seed: object) -> None:
    """Raise InputError unless a random seed is one that all generators take."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}", "a whole number from 0 to 2**63 - 1", "write seed=0")
