"""Names the place in a model's code at which an error arose, from its traceback.

Takes an exception. Must not run the model.
"""

import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from torch import nn

_PYTHON = sysconfig.get_path("stdlib") + "/"


@dataclass(frozen=True)
class CodePlace:
    """A line of the model's code.

    Attributes:
        module: Dotted name of the Python module.
        line: Number of the line.
        package: The installed package that it belongs to; "" for the user's own code.
    """

    module: str
    line: int
    package: str

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}"


def failing_module(error: Exception, model: nn.Module) -> str:
    """Name the innermost module of the model that was running when the error arose."""
    names = {id(module): name for name, module in model.named_modules() if name}
    innermost, trace = "", error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_locals.get("self")
        innermost = names.get(id(module), innermost)
        trace = trace.tb_next
    return f', in "{innermost}",' if innermost else ""


def failing_line(error: Exception) -> CodePlace | None:
    """Find the innermost line of the model's code, or of torch's layers, that led to an error."""
    found, trace = None, error.__traceback__
    while trace is not None:
        found = trace if _is_models(trace.tb_frame) else found
        trace = trace.tb_next
    if found is None:
        return None
    name = _module(found.tb_frame)
    package = name.partition(".")[0] if _is_installed(found.tb_frame) else ""
    return CodePlace(name, found.tb_lineno, package)


def _is_models(frame: FrameType) -> bool:
    """Whether a frame runs code of a model, not of relprop, torch's tracing or Python itself."""
    name, path = _module(frame), frame.f_code.co_filename
    if name.startswith("torch."):
        layers = name.startswith(("torch.nn.modules.", "torch.nn.functional"))
        return layers and name != "torch.nn.modules.module"
    own = name.split(".")[0] in ("relprop", "torch", "sympy")
    python = path.startswith((_PYTHON, "<")) and not _is_installed(frame)
    return not own and not python


def _is_installed(frame: FrameType) -> bool:
    parts = Path(frame.f_code.co_filename).parts
    return "site-packages" in parts or "dist-packages" in parts


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
