"""The options of a call, checked before anything runs.

`Options` names them for type checkers and editors, `Request` holds them with their defaults.
Takes what the caller wrote, gives a frozen record. Must not know models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypedDict

from torch import nn

from ..errors import InputError
from ..observe.channels import check_conditions
from ..recipes.recipe import Recipe
from .option_advice import refuse_modules, unknown_option, wrong_recipe

Initial = Literal["score", "one"]
Capture = Literal["export", "per-input"]
USUAL_MASK = "attention_mask"  # as tokenizers of Hugging Face call it


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
                "leave keep_parallel out, or name modules and their channels in conditions",
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
    wrong = wrong_recipe(recipe)
    if wrong is not None:
        raise wrong
    if capture not in ("export", "per-input"):
        raise InputError(f"capture is {capture!r}", '"export" or "per-input"', 'capture="export"')
    check_flag("compile", compile)
    if compile and capture == "per-input":
        raise InputError(
            'compile=True with capture="per-input"',
            "one of them: what is captured for each input cannot be compiled once",
            "leave compile=True out",
        )


def make_request(options: Mapping[str, Any], model: nn.Module, recipe: Recipe) -> Request:
    """Check the options of a call. Raises InputError for an unknown or wrong one.

    Args:
        options: What the caller wrote, by name.
        model: The model, whose modules have names.
        recipe: The recipe of the explainer that is called.
    """
    if not options:
        return DEFAULT
    names = [f.name for f in fields(Request) if f.init]
    for name in options:
        if name not in names:
            raise unknown_option(name, options, names, recipe)
    refuse_modules(options, model)
    return Request(**options)


def _check_names(layers: object) -> tuple[str, ...]:
    if not isinstance(layers, (list, tuple)) or not all(isinstance(n, str) for n in layers):
        raise InputError(
            f"layers is {layers!r}", "a list of names", f"write layers={_as_names(layers)}"
        )
    return tuple(layers)


def _as_names(layers: Any) -> str:
    """Write a list of names, of one name, of numbers, or of a set of these."""
    several = isinstance(layers, (list, tuple, set, frozenset))
    names = sorted(map(str, layers)) if isinstance(layers, (set, frozenset)) else layers
    items = list(names) if several else [layers]
    fits = layers != "all" and all(
        isinstance(n, (str, int)) and not isinstance(n, bool) for n in items
    )
    shown = ", ".join(f'"{n}"' for n in items) if fits and items else '"*"'
    return f"[{shown}]"


def check_compilable(request: Request) -> None:
    """Raise InputError for options that compiled programs do not have."""
    if request.observes or request.create_graph or request.recompute:
        raise InputError(
            "an explainer with compile=True and an option that looks into the backward pass",
            "neither ledger, layers, conditions, create_graph nor recompute",
            "leave compile=True out",
        )


def check_buckets(bucket_size: object, mask: object) -> None:
    """Raise InputError for options that no buckets can be made with."""
    if bucket_size is None and mask != USUAL_MASK:
        given = f"mask={mask!r} without bucket_size"
        raise InputError(given, "mask with bucket_size", "write bucket_size=8")
    whole = isinstance(bucket_size, int) and not isinstance(bucket_size, bool)
    if bucket_size is not None and not (whole and bucket_size > 0):  # type: ignore[operator]
        given = f"bucket_size is {bucket_size!r}"
        raise InputError(given, "a whole number > 0", "write bucket_size=8")
    if mask is not None and not isinstance(mask, str):
        given = f"mask of type {type(mask).__name__}"
        todo = f'write mask="{USUAL_MASK}"'
        raise InputError(given, "the name of an argument of the model, or None", todo)


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
