"""Checks the model that an explainer is made for.

Takes what the user gave as model, gives the module to read. Must not run it.
"""

import inspect
from collections.abc import Mapping
from operator import attrgetter
from pathlib import PurePath

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..support.torch_private import uncompiled

# Packages whose patches of a class change what gradients mean -> the preset that has their rules.
_PATCHES = {"lxt": "attnlrp"}


def check_module(model: object) -> nn.Module:
    """Return the module to explain; of one that torch.compile wrapped, the one inside.

    Raises:
        InputError: It is no module, torch.jit made it, or another package patched it.
    """
    if not isinstance(model, nn.Module):
        given = f"a model of type {type(model).__name__}"
        raise InputError(given, "a torch.nn.Module", _line_for_model(model))
    model = uncompiled(model)
    for name, module in model.named_modules():
        which = f'the module "{name}"' if name else "a model"
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(
                f"{which} that torch.jit traced or scripted, of type {type(module).__name__}",
                "a model whose forward is Python code, which torch.export reads",
                "give the model that was traced: make it in Python, then "
                "model.load_state_dict(traced.state_dict())",
            )
        _refuse_patched(which, module)
    return model


def _line_for_model(given: object) -> str:
    """Say how to come by the model, from what was given in its place."""
    if isinstance(given, (str, PurePath)):
        from ..models.checkpoint import shipped_models  # with its file formats, loaded on use

        known = str(given) in shipped_models() or str(given).endswith(".safetensors")
        return f'write relprop.load_model("{given if known else "mnist-cnn"}"), or your own model'
    if isinstance(given, type) and issubclass(given, nn.Module):
        return f"make one: model = {given.__name__}(...).eval()"
    if isinstance(given, Tensor):
        return "the model comes first, then its input: relprop.explain(model, x)"
    if isinstance(given, Mapping):
        return "put the weights into their model and give that: model.load_state_dict(weights)"
    for name in ("model", "explainer.model"):  # of an Explainer, a pipeline; of a Method
        if isinstance(_attribute(given, name), nn.Module):
            return f"give the model that it holds, its attribute {name}"
    if callable(given):
        return "write a torch.nn.Module whose forward calls it"
    return "give the model itself"


def _attribute(owner: object, path: str) -> object:
    try:
        return attrgetter(path)(owner)
    except AttributeError:
        return None


def _refuse_patched(which: str, module: nn.Module) -> None:
    """Refuse a forward that computes other gradients than the class's own.

    A patched dropout is let pass: it does nothing in eval mode.
    """
    home = str(getattr(inspect.unwrap(module.forward), "__module__", ""))
    package = home.partition(".")[0]
    if package in _PATCHES and not isinstance(module, nn.Dropout):
        raise InputError(
            f"{which}, of type {type(module).__name__}, whose forward {home} replaced",
            "a model as its own package computes it",
            f"load it in a session without {package}'s patch; its rules are those of "
            f'relprop.Explainer(model, "{_PATCHES[package]}")',
        )
