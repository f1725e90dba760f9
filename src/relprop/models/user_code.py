"""Objects from a user's Python file: "my_net.py:Net".

Takes a specification. Gives the object. Runs the file, as Python's import does.
"""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from ..errors import FileError, InputError, first_line
from ..support.arguments import suggest


def is_in_file(spec: str) -> bool:
    """Tell whether a specification is "FILE.py:NAME", or lacks its name."""
    return spec.endswith(".py") or ".py:" in spec


def load_object(spec: str) -> Any:
    """Run a Python file and return one of its objects.

    Args:
        spec: "FILE.py:NAME".

    Raises:
        FileError: There is no such file.
        InputError: The file raises, or has no such name.
    """
    file, _, name = spec.rpartition(":") if ".py:" in spec else (spec, "", "")
    path = Path(file)
    if not path.is_file():
        todo = "give the path of the file, as in my_net.py:Net"
        raise FileError(f"there is no file {path}", "a Python file", todo)
    module = _run(path)
    names = _own_names(module)
    if not name:
        todo = f"write {file}:{names[0]}" if names else "name what the file defines"
        raise InputError(f"{spec} without a name", "FILE.py:NAME", todo)
    if not hasattr(module, name):
        allowed = ", ".join(names) or "a name that the file defines"
        near = suggest(name, names, otherwise="name one of these")
        raise InputError(f"{file} defines no {name!r}", allowed, near)
    return getattr(module, name)


def make_model(spec: str) -> nn.Module:
    """Return the model that a user's file defines.

    Args:
        spec: "FILE.py:NAME", of a class or a function that needs no arguments, or of a model.

    Raises:
        FileError: There is no such file.
        InputError: The file or the class raises, needs arguments, or gives no model.
    """
    made = load_object(spec)
    file, name = spec.rsplit(":", 1)
    if not isinstance(made, nn.Module):
        if not callable(made):
            given = f"{spec}, which is of type {type(made).__name__}"
            raise InputError(given, "a class, a function or a model", "name a torch.nn.Module")
        needed = _needed_arguments(made)
        if needed:
            call = f"{name}({', '.join(f'{argument}=...' for argument in needed)})"
            raise InputError(
                f"{spec} needs the arguments {', '.join(needed)}",
                "a class or a function that can be called without arguments, or a model",
                f"write in {file}: def model(): return {call}, and --model {file}:model",
            )
        with user_errors(spec, Path(file)):
            made = made()
    if not isinstance(made, nn.Module):
        given = f"{spec}, which gives a {type(made).__name__}"
        raise InputError(given, "a torch.nn.Module", "return the model")
    return made


def _run(path: Path) -> ModuleType:
    """Run a file as a module of its own, which may import what stands beside it."""
    name = f"_relprop_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileError(f"{path} is no Python file", "a name that ends in .py", "rename it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the module of a class
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with user_errors(str(path), path):
            spec.loader.exec_module(module)
    except InputError:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(folder)
    return module


@contextmanager
def user_errors(what: str, path: Path) -> Iterator[None]:
    """Turn whatever a user's code raises into an error that names its line.

    Args:
        what: What is run, as the error names it.
        path: The user's file.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError):
            lines = [error.lineno]
        else:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [f.lineno for f in frames if Path(f.filename).name == path.name]
        where = f" (line {lines[-1]} of {path.name})" if lines else ""
        text = f"{type(error).__name__}: {first_line(error)}"  # type: ignore[arg-type]
        given = f"{what} raised {text}{where}"
        todo = f"mend it, so that python {path} runs"
        raise InputError(given, "code that runs without an error", todo) from error


def _own_names(module: ModuleType) -> list[str]:
    """List the models, classes of models and functions of a file, models first."""
    own = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
    models = [name for name, value in own if isinstance(value, nn.Module)]
    classes = [
        name
        for name, value in own
        if inspect.isclass(value)
        and issubclass(value, nn.Module)
        and value.__module__ == module.__name__
    ]
    functions = [
        name
        for name, value in own
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    return [*models, *classes, *functions]


def _needed_arguments(made: Any) -> list[str]:
    try:
        parameters = inspect.signature(made).parameters.values()
    except (TypeError, ValueError):  # of a class written in C
        return []
    empty, variable = inspect.Parameter.empty, ("VAR_POSITIONAL", "VAR_KEYWORD")
    return [p.name for p in parameters if p.default is empty and p.kind.name not in variable]
