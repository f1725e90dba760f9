"""What a user asks of a fit, checked before anything is read.

Takes what was written in Python or on the command line. Gives a frozen record. Must not know data
or networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..support.arguments import check_seed
from ..support.files import as_path
from .budget import parse_duration, parse_memory
from .memory import check_memory_limit


@dataclass(frozen=True)
class FitSettings:
    """What a user asks of a fit.

    Attributes:
        out: Folder of the bundle and of the search.
        seconds: Wall time for everything.
        trials: The most trials; None: as many as the time allows.
        memory: The most bytes that the program may hold while it tries networks; None: no limit.
        workers: Number of processes that search.
        seed: Random seed.
        space: What is searched, as `space.narrow_spaces` takes it; what is left out is the whole.
        encoder: Folder of a pretrained `transformers` encoder of texts; "" for none.
        device: "cpu", "cuda" or "auto": a GPU where there is one.
    """

    out: Path
    seconds: float
    trials: int | None = None
    memory: int | None = None
    workers: int = 1
    seed: int = 0
    space: Mapping[str, Any] = field(default_factory=dict)
    encoder: str = ""
    device: str = "auto"


def parse_settings(
    *,
    out: object,
    budget: object,
    trials: object,
    memory: object,
    workers: object,
    seed: object,
    space: object,
    encoder: object,
    device: object,
) -> FitSettings:
    """Check what a user wrote. See `FitSettings` for what each is; `budget` is a duration.

    Raises:
        InputError: One is out of range or not what is allowed.
    """
    _check_fit_seed(seed)
    _check_count("trials", trials, optional=True)
    _check_count("workers", workers)
    if not isinstance(space, Mapping):
        raise InputError(f"space is {space!r}", "a table", 'write space={"families": ["mlp"]}')
    if memory is not None:
        check_memory_limit()
    return FitSettings(
        as_path(out),
        parse_duration(budget),
        trials,  # type: ignore[arg-type]  # checked above
        None if memory is None else parse_memory(memory),
        workers,  # type: ignore[arg-type]
        seed,  # type: ignore[arg-type]
        space,
        _parse_encoder(encoder),
        _parse_device(device),
    )


def _check_fit_seed(seed: object) -> None:
    check_seed(seed)
    if isinstance(seed, int) and seed >= 2**32:
        allowed = "a whole number from 0 to 2**32 - 1, as scikit-learn takes"
        raise InputError(f"seed is {seed!r}", allowed, "write seed=0")


def _check_count(name: str, value: object, optional: bool = False) -> None:
    if optional and value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}", "a whole number from 1", f"write {name}=2")


def _parse_encoder(encoder: object) -> str:
    if encoder in (None, ""):
        return ""
    path = as_path(encoder)
    if not (path / "config.json").is_file():
        given = f"the encoder {path}, which holds no config.json"
        allowed = "a folder that transformers wrote with save_pretrained"
        raise InputError(given, allowed, "give its path, or leave it out")
    return str(path)


def _parse_device(device: object) -> str:
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device is {device!r}", '"auto", "cpu", "cuda"', 'write device="auto"')
    import torch

    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        given = "device is 'cuda', and torch sees no GPU"
        raise InputError(given, '"cpu", or "auto"', 'write device="cpu"')
    return "cuda" if device != "cpu" and found else "cpu"
