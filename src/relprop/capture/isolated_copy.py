"""Copies a model so that reading the copy cannot change the model.

While torch.export reads a module, it puts other tensors in the place of its parameters, which
other threads would see, and runs its forward, which may write attributes and buffers.
"""

import copy

from torch import Tensor, nn

from ..errors import CaptureError, first_line
from ..support.quiet import silenced
from ..support.torch_messages import EXPORT_WARNINGS
from ..support.torch_private import own_parameters


def isolated_copy(model: nn.Module) -> nn.Module:
    """Deep copy that shares parameter storage, except for tensors that forward may write.

    Raises:
        CaptureError: If copy.deepcopy fails.
    """
    # deepcopy takes what `copies` holds, by id, instead of a copy of its own.
    copies: dict[int, Tensor] = {id(parameter): parameter for parameter in model.parameters()}
    for module in model.modules():
        written = [*module.buffers(recurse=False), *vars(module).values()]
        if getattr(module, "max_norm", None) is not None:  # an embedding that scales its rows
            written += module.parameters(recurse=False)
        copies.update({id(value): _clone(value) for value in written if isinstance(value, Tensor)})
    try:
        with silenced(EXPORT_WARNINGS):  # of an exported program's own parts
            copied = copy.deepcopy(model, copies)
    except Exception as error:
        raise CaptureError(
            f"{type(model).__name__} cannot be copied: {first_line(error)}",
            "a model that copy.deepcopy can copy",
            "take locks, open files, generators and tensors with a history out of its attributes",
        ) from error
    _untie(copied)
    return copied


def _untie(model: nn.Module) -> None:
    """Give each module that shares a parameter a Parameter object of its own, in the same memory.

    torch.export has one name for all of them. A graph with one name would follow only one of the
    modules when the user replaces the parameter in the other.
    """
    seen: set[int] = set()
    for module in model.modules():
        for name, parameter in list(own_parameters(module).items()):
            if parameter is not None and id(parameter) in seen:
                own = nn.Parameter(parameter.detach(), requires_grad=parameter.requires_grad)
                setattr(module, name, own)
            seen.add(id(parameter))


def _clone(tensor: Tensor) -> Tensor:
    new = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(new, requires_grad=tensor.requires_grad)
    return new.requires_grad_(tensor.requires_grad)
