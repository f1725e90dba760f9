"""The options of a call, checked before anything runs.

`Options` names them for type checkers and editors, `Request` holds them with their defaults.
Takes what the caller wrote, gives a frozen record. Must not know models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict

from ..errors import InputError
from ..observe.channels import check_conditions
from ..recipes.recipe import Recipe
from ..support.arguments import suggest

# Keyword arguments of an explainer, which a call does not take.
_OF_EXPLAINERS = ("output", "capture", "compile")

Initial = Literal["score", "one"]


class Options(TypedDict, total=False):
    """Keyword arguments of `Explainer.__call__` and `Explainer.map`, which describe them."""

    initial: Initial
    explain: str | tuple[str, ...] | None
    ledger: bool
    layers: Sequence[str]
    conditions: Mapping[str, Any] | None
    keep_parallel: bool
    create_graph: bool
    batch_size: int | None
    memory: int | None
    recompute: bool


@dataclass(frozen=True)
class Request:
    """How a batch is to be explained; see `Explainer.__call__`.

    Raises InputError for an option that is wrong, or that excludes another.
    """

    initial: Initial = "score"
    explain: str | tuple[str, ...] | None = None
    ledger: bool = False
    layers: Sequence[str] = ()
    conditions: Mapping[str, Any] | None = None
    keep_parallel: bool = False
    create_graph: bool = False
    batch_size: int | None = None
    memory: int | None = None
    recompute: bool = False
    observes: bool = field(init=False)  # whether it looks at relevance inside the model

    def __post_init__(self) -> None:
        if not isinstance(self.initial, str) or self.initial not in ("score", "one"):
            given = f"initial is {self.initial!r}"
            raise InputError(given, '"score" or "one"', 'write initial="score"')
        for name in ("ledger", "keep_parallel", "create_graph", "recompute"):
            check_flag(name, getattr(self, name))
        for name in ("batch_size", "memory"):
            _check_size(name, getattr(self, name))
        object.__setattr__(self, "layers", _check_names(self.layers))
        object.__setattr__(self, "conditions", check_conditions(self.conditions))
        if self.keep_parallel and not self.conditions:
            raise InputError(
                "keep_parallel=True without conditions",
                "keep_parallel=True with conditions, around which relevance may go",
                'write conditions={"layer1": [0, 3]}, or leave keep_parallel out',
            )
        if self.recompute and self.ledger:
            raise InputError(
                "recompute=True with ledger=True",
                "one of them: the ledger needs every value of the model",
                "leave recompute out",
            )
        observes = bool(self.ledger or self.layers or self.conditions)
        object.__setattr__(self, "observes", observes)


def check_arguments(recipe: object, capture: object, compile: object) -> None:
    """Raise InputError for arguments that no explainer can be made with."""
    if not isinstance(recipe, (Recipe, str)):
        given = f"a recipe of type {type(recipe).__name__}"
        raise InputError(given, "a Recipe or a preset's name", 'write recipe="epsilon-plus"')
    if capture not in ("export", "per-input"):
        raise InputError(f"capture is {capture!r}", '"export" or "per-input"', 'capture="export"')
    check_flag("compile", compile)
    if compile and capture == "per-input":
        raise InputError(
            'compile=True with capture="per-input"',
            "one of them: what is captured for each input cannot be compiled once",
            "leave compile=True out",
        )


def make_request(options: Mapping[str, Any]) -> Request:
    """Check the options of a call. Raises InputError for an unknown or wrong one."""
    names = [f.name for f in fields(Request) if f.init]
    for name in options:
        if name in _OF_EXPLAINERS:
            todo = f"write relprop.Explainer(model, {name}={options[name]!r})(x)"
            raise InputError(f"{name}= in a call", f"{name}= of an Explainer", todo)
        if name not in names:
            raise InputError(f"the option {name}", ", ".join(names), suggest(name, names))
    return Request(**options)


def _check_names(layers: object) -> tuple[str, ...]:
    if not isinstance(layers, (list, tuple)) or not all(isinstance(n, str) for n in layers):
        todo = f'layers=["{layers if isinstance(layers, str) else "*"}"]'
        raise InputError(f"layers is {layers!r}", "a list of names", todo)
    return tuple(layers)


def check_compilable(request: Request) -> None:
    """Raise InputError for options that compiled programs do not have."""
    if request.observes or request.create_graph or request.recompute:
        raise InputError(
            "an explainer with compile=True and an option that looks into the backward pass",
            "neither ledger, layers, conditions, create_graph nor recompute",
            "leave compile=True out",
        )


def check_flag(name: str, value: object) -> None:
    """Raise InputError unless it is True or False."""
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}", "True or False", f"write {name}=True")


def _check_size(name: str, value: object) -> None:
    """Raise InputError unless it is a whole number > 0, or None."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return
    example = "memory=2 * 10**9" if name == "memory" else "batch_size=64"
    if isinstance(value, float) and value >= 1 and value.is_integer():
        example = f"{name}={int(value):_}"
    unit = " of bytes" if name == "memory" else ""
    raise InputError(f"{name} is {value!r}", f"a whole number{unit} > 0", f"write {example}")


DEFAULT = Request()
