"""Names the place in a model's code at which an error arose, or which runs now.

Takes an exception, or the stack of the caller. Must not run the model.
"""

import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary
from types import FrameType

from torch import nn

_PYTHON = sysconfig.get_path("stdlib") + "/"
_INSTALLED = ("site-packages", "dist-packages")


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


def running_line() -> FrameSummary | None:
    """Find the innermost line of the model's code, or of torch's layers, that runs now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_models(frame):
        frame = frame.f_back
    if frame is None:
        return None
    code = frame.f_code
    return FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False)


def write_line(line: FrameSummary) -> str:
    """Write a line of code with its place, such as "net.py:7 in forward: `n = len(x)`"."""
    *folders, file = Path(line.filename).parts
    installed = [i for i, name in enumerate(folders) if name in _INSTALLED]
    path = "/".join([*folders[installed[-1] + 1 :], file]) if installed else file
    code = f": `{line.line}`" if line.line else ""
    return f"{path}:{line.lineno} in {line.name}{code}"


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
    return any(name in _INSTALLED for name in Path(frame.f_code.co_filename).parts)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
