"""How batches are to be explained, checked before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from ..errors import InputError
from ..observe.channels import check_conditions

Seed = Literal["score", "one"]


class Options(TypedDict, total=False):
    """How a call explains, beside target and seed; see `Explainer.__call__`."""

    ledger: bool
    layers: Sequence[str]
    only: Mapping[str, Any] | None
    create_graph: bool
    batch_size: int | None
    memory: int | None
    recompute: bool


@dataclass(frozen=True)
class Request:
    """How batches are to be explained; see `Explainer.__call__`."""

    unit: bool
    ledger: bool
    layers: tuple[str, ...]
    only: Mapping[str, Any]
    create_graph: bool
    recompute: bool
    compile: bool
    batch_size: int | None
    memory: int | None


def asked(
    seed: Seed,
    *,
    compiled: bool,
    ledger: bool = False,
    layers: Sequence[str] = (),
    only: Mapping[str, Any] | None = None,
    create_graph: bool = False,
    batch_size: int | None = None,
    memory: int | None = None,
    recompute: bool = False,
) -> Request:
    """The request. Raises InputError for an option that is wrong, or does not go with another."""
    if seed not in ("score", "one"):
        raise InputError(f"seed is {seed!r}", '"score" or "one"', 'write seed="score"')
    request = Request(
        unit=seed == "one",
        ledger=ledger,
        layers=_names(layers),
        only=check_conditions(only),
        create_graph=create_graph,
        recompute=recompute,
        compile=compiled,
        batch_size=batch_size,
        memory=memory,
    )
    for name in ("ledger", "create_graph", "recompute"):
        check_flag(name, getattr(request, name))
    for name in ("batch_size", "memory"):
        _check_size(name, getattr(request, name))
    _check_together(request)
    return request


def _names(layers: object) -> tuple[str, ...]:
    if not isinstance(layers, (list, tuple)) or not all(isinstance(n, str) for n in layers):
        todo = f'layers=["{layers if isinstance(layers, str) else "*"}"]'
        raise InputError(f"layers is {layers!r}", "a list of names", todo)
    return tuple(layers)


def _check_together(request: Request) -> None:
    """InputError for options of which one excludes another."""
    looks = request.ledger or request.layers or request.only
    if request.compile and (looks or request.create_graph or request.recompute):
        raise InputError(
            "an explainer with compile=True and an option that looks at the way back",
            "neither ledger, layers, only, create_graph nor recompute",
            "leave compile=True out",
        )
    if request.recompute and request.ledger:
        raise InputError(
            "recompute=True with ledger=True",
            "one of them: the ledger needs every value of the model",
            "leave recompute out",
        )


def check_flag(name: str, value: object) -> None:
    """InputError unless it is True or False."""
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}", "True or False", f"write {name}=True")


def _check_size(name: str, value: object) -> None:
    """InputError unless it is a whole number > 0, or None."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return
    example = "memory=2 * 10**9" if name == "memory" else "batch_size=64"
    if isinstance(value, float) and value >= 1 and value.is_integer():
        example = f"{name}={int(value):_}"
    unit = " of bytes" if name == "memory" else ""
    raise InputError(f"{name} is {value!r}", f"a whole number{unit} > 0", f"write {example}")
