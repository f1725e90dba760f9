"""Weights from a file into a model, without running code, and with every key accounted for.

Takes a model and a file. Changes the model's weights. Must not know how the model was made.
"""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..errors import FileError, first_line

LISTED = 4  # keys that an error names of each kind
# What wrappers of models put before each key, and where training loops keep the weights.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
_INSIDE = ("state_dict", "model_state_dict", "model")


def load_weights(model: nn.Module, path: Path) -> None:
    """Load weights into a model.

    Args:
        model: The model.
        path: A .safetensors file, or one of torch.save's that holds tensors alone.

    Raises:
        FileError: The file is missing, damaged or could run code, or its keys do not fit.
    """
    state = _without_prefix(read_weights(path), model)
    own = model.state_dict()
    problems = [
        _listed("the model has no", [key for key in state if key not in own]),
        _listed("the file has no", [key for key in own if key not in state]),
        _listed(
            "other shapes:",
            [
                f"{key} {tuple(value.shape)} for {tuple(own[key].shape)}"
                for key, value in state.items()
                if key in own and value.shape != own[key].shape
            ],
        ),
    ]
    if any(problems):
        raise FileError(
            f"the weights {path} do not fit {type(model).__name__}: "
            + "; ".join(filter(None, problems)),
            "the state_dict of this model",
            "write torch.save(model.state_dict(), path) where the model was trained",
        )
    model.load_state_dict(state)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state_dict. Raises FileError as `load_weights` does."""
    if not path.is_file():
        raise FileError(f"there is no file {path}", "a file of weights", "give its path")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FileError(
            f"{path} holds more than tensors, and could run code: it was not loaded",
            "a .safetensors file, or torch.save of a state_dict",
            "write torch.save(model.state_dict(), path) where the model was trained",
        ) from error
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        given = f"the weights {path} are damaged: {first_line(error)}"
        raise FileError(given, "a complete file of weights", "save it again") from error
    return _state_dict(found, path)


def _state_dict(found: Any, path: Path) -> dict[str, Tensor]:
    """Find the state_dict in what torch.save wrote, such as a checkpoint of Lightning's."""
    candidates = [found, *(found.get(k) for k in _INSIDE)] if isinstance(found, Mapping) else []
    for candidate in candidates:
        if (
            isinstance(candidate, Mapping)
            and candidate
            and all(isinstance(v, Tensor) for v in candidate.values())
        ):
            return {str(key): value for key, value in candidate.items()}
    kind = f"with the keys {', '.join(map(str, list(found)[:LISTED]))}" if candidates else ""
    given = f"{path} holds a {type(found).__name__} {kind}".rstrip()
    todo = "write torch.save(model.state_dict(), path) where the model was trained"
    raise FileError(given, "a state_dict: tensors by name", todo)


def _without_prefix(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Take away what DataParallel, torch.compile or a training module put before each key."""
    own = model.state_dict()
    for prefix in _PREFIXES:
        if not own.keys() & state.keys() and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _listed(words: str, keys: Sequence[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return f"{words} {', '.join(keys[:LISTED])}{more}"
