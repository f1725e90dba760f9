"""What a search may choose from: the families' spaces, narrowed by the user.

Takes families, facts about the data, and the user's words from TOML. Gives a space and a default
for each family. Must not know how values are chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import InputError
from ..networks.family import Choice, Facts, NetworkFamily, Range, Settings, Space, Value
from ..support.arguments import suggest

_FAMILIES = "families"
_KEYS = ("low", "high", "log")


@dataclass(frozen=True)
class FamilySpace:
    """A family of networks with what may be searched of it.

    Attributes:
        family: The family.
        default: Values of all settings for its first trial, inside the space.
        space: What is searched, by setting; all others keep their default.
    """

    family: NetworkFamily
    default: Settings
    space: Space


def narrow_spaces(
    families: Sequence[NetworkFamily], facts: Facts, wanted: Mapping[str, Any]
) -> tuple[FamilySpace, ...]:
    """Return the spaces of families as the user narrowed them.

    Args:
        families: Families of the data's modality, that of the first trial first.
        facts: About the data.
        wanted: The user's table: `families`, a list of names, and for each family a table of
            settings; a list of values, one value, or `{low, high, log}`.

    Raises:
        InputError: An unknown family, setting or key, or a value that the family does not have.

    Example:
        `narrow_spaces(families, facts, {"families": ["mlp"], "mlp": {"width": [64, 128]}})`
    """
    names = [family.name for family in families]
    for name in wanted:
        _check_name("space", name, [_FAMILIES, *names])
    chosen = wanted.get(_FAMILIES, names)
    if not isinstance(chosen, list) or not chosen:
        raise InputError(f"space.families = {chosen!r}", "a list of names", f"write {names[:1]}")
    for name in chosen:
        _check_name("space.families", name, names)
    kept = [family for family in families if family.name in chosen]
    return tuple(_narrow_family(family, facts, wanted.get(family.name, {})) for family in kept)


def _narrow_family(family: NetworkFamily, facts: Facts, wanted: object) -> FamilySpace:
    owner = f"space.{family.name}"
    if not isinstance(wanted, Mapping):
        given, allowed = f"{owner} = {wanted!r}", "a table of settings"
        raise InputError(given, allowed, f"write [{owner}] and a setting in each line below it")
    default = dict(family.default(facts))
    space = {name: _with(default[name], one) for name, one in family.space(facts).items()}
    for setting, value in wanted.items():
        _check_name(owner, setting, [*space, *(name for name in default if name not in space)])
        where = f"{owner}.{setting}"
        known = space.get(setting)
        space[setting] = (
            _of_default(where, default[setting], value)
            if known is None
            else _narrow(where, known, value)
        )
    inside = {name: _move_inside(default[name], one) for name, one in space.items()}
    return FamilySpace(family, {**default, **inside}, space)


def _with(value: Value, space: Choice | Range) -> Choice | Range:
    """Return a space that has a family's default, which is tried first."""
    if _contains(space, value):
        return space
    if isinstance(space, Choice):
        return Choice((value, *space.options))
    return replace(space, low=min(space.low, float(value)), high=max(space.high, float(value)))


def _narrow(where: str, known: Choice | Range, value: Any) -> Choice | Range:
    """Return the part of what is known that the user wants."""
    if isinstance(value, Mapping):
        return _narrow_range(where, known, value)
    values = value if isinstance(value, list) else [value]
    allowed = _describe(known)
    for one in values:
        if not _contains(known, one):
            todo = suggest(one, map(str, known.options)) if isinstance(known, Choice) else ""
            raise InputError(f"{where} = {one!r}", allowed, todo or "write a number between them")
    if not values:
        raise InputError(f"{where} = []", allowed, "write one of these at least")
    if isinstance(known, Choice):  # 0 may stand for 0.0
        values = [next(option for option in known.options if option == one) for one in values]
    return Choice(tuple(values))


def _narrow_range(where: str, known: Choice | Range, value: Mapping[str, Any]) -> Choice | Range:
    for key in value:
        _check_name(where, key, _KEYS)
    for key in ("low", "high"):
        if key in value and not _is_number(value[key]):
            given, todo = f"{where}.{key} = {value[key]!r}", f"write a number, or leave {key} out"
            raise InputError(given, "a number", todo)
    if isinstance(known, Choice):
        kept = [one for one in known.options if _is_number(one) and _between(one, value)]
        if not kept:
            given = f"{where} = {dict(value)!r}, between which there is none of its values"
            raise InputError(given, _describe(known), "write a list of these")
        return Choice(tuple(kept))
    low, high = value.get("low", known.low), value.get("high", known.high)
    if not (_contains(known, low) and _contains(known, high) and low <= high):
        allowed = f"{_describe(known)}, low <= high"
        todo = f"write {{ low = {known.low}, high = {known.high} }}"
        raise InputError(f"{where} = {dict(value)!r}", allowed, todo)
    log = value.get("log", known.log)
    if not isinstance(log, bool) or (log and low <= 0):
        given, todo = f"{where}.log = {log!r}", "write log = false"
        raise InputError(given, "true or false; true only where low > 0", todo)
    return Range(low, high, log, known.whole)


def _of_default(where: str, default: Value, value: Any) -> Choice:
    """Return values for a setting that is not searched: of the same type as its default."""
    values = value if isinstance(value, list) and value else [value]
    for one in values:
        numbers = _is_number(one) and _is_number(default)
        if not (numbers and type(default) is float) and type(one) is not type(default):
            allowed = f"a value like its default, {default!r}"
            raise InputError(f"{where} = {one!r}", allowed, f"write {default!r}, or leave it out")
    return Choice(tuple(values))


def _move_inside(value: Value, space: Choice | Range) -> Value:
    """Return a default, or the nearest value of a space that does not contain it."""
    if _contains(space, value):
        return value
    if isinstance(space, Range):
        return type(value)(min(max(float(value), space.low), space.high))
    numbers = [one for one in space.options if _is_number(one)]
    if _is_number(value) and numbers:
        return min(numbers, key=lambda one: abs(float(one) - float(value)))
    return space.options[0]


def _contains(space: Choice | Range, value: object) -> bool:
    if isinstance(space, Choice):
        alike = (one for one in space.options if one == value)
        return any(
            type(one) is type(value) or (_is_number(one) and _is_number(value)) for one in alike
        )
    if not _is_number(value) or (space.whole and not isinstance(value, int)):
        return False
    return space.low <= value <= space.high  # type: ignore[operator]  # it is a number


def _between(value: Value, bounds: Mapping[str, Any]) -> bool:
    return bool(bounds.get("low", value) <= value <= bounds.get("high", value))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _describe(space: Choice | Range) -> str:
    if isinstance(space, Choice):
        return ", ".join(map(str, space.options))
    return f"{'a whole number' if space.whole else 'a number'} from {space.low} to {space.high}"


def _check_name(owner: str, name: object, names: Sequence[str]) -> None:
    if name not in names:
        raise InputError(f"{owner} names {name!r}", ", ".join(names), suggest(name, names))
