"""Fitted scikit-learn transformers as plain values and tensors, and back, without fitting.

Takes transformers of the classes that preparations use. Gives what JSON and safetensors hold; code
cannot be among it. Must not know tables.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import FileError
from ..support.extras import needs
from .piecewise_linear import PiecewiseLinear

with needs("fit", "preparing tables"):
    from sklearn.preprocessing import (
        OneHotEncoder,
        PowerTransformer,
        StandardScaler,
        TargetEncoder,
    )

_OUTPUT = "_sklearn_output_config"  # whether frames are given: never, as without it
_CLASSES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (OneHotEncoder, PiecewiseLinear, PowerTransformer, StandardScaler, TargetEncoder)
}


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Turn a fitted transformer, or what it holds, into plain values.

    Args:
        value: The transformer.
        tensors: Receives its arrays of numbers, by new names.

    Returns:
        What `unpack` takes: None, numbers, text, lists and dicts.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        name = f"fitted.{len(tensors)}"
        tensors[name] = torch.from_numpy(value.copy())
        return {"tensor": name}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, list | tuple):
        return [pack(one, tensors) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, type):
        return {"dtype": np.dtype(value).name}
    if type(value).__name__ in _CLASSES:
        kept = {name: one for name, one in vars(value).items() if name != _OUTPUT}
        attributes = {name: pack(one, tensors) for name, one in kept.items()}
        return {"class": type(value).__name__, "attributes": attributes}
    return value


def unpack(state: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Make again what `pack` was given.

    Raises:
        FileError: It holds a transformer or a tensor that does not exist.
    """
    if isinstance(state, list):
        return [unpack(one, tensors) for one in state]
    if not isinstance(state, dict):
        return state
    if "tensor" in state:
        return _named(tensors, state["tensor"], "tensor").numpy()
    if "array" in state:
        return np.array(state["array"], dtype=object)
    if "dtype" in state:
        return np.dtype(state["dtype"]).type
    made = _named(_CLASSES, state.get("class"), "transformer")()
    vars(made).update({name: unpack(one, tensors) for name, one in state["attributes"].items()})
    return made


def _named(known: Mapping[str, Any], name: Any, what: str) -> Any:
    if name not in known:
        given = f"a prepared table that needs the {what} {name!r}"
        todo = "write the bundle again, with this version of relprop"
        raise FileError(given, ", ".join(known) or "none, as there is none", todo)
    return known[name]
