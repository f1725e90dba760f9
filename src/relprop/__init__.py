"""relprop: what a PyTorch classifier looked at, and whether that is true."""

from importlib import import_module
from types import ModuleType

from .conformance import check_rule
from .engine.forms import Back
from .engine.recipe import Recipe
from .engine.rows import Selector
from .engine.rulebook import rule
from .errors import RelpropError
from .explain import Explainer, explain
from .explanation import Explanation
from .margin import margin
from .method import Method
from .models import load_model, save_model
from .target import at

__version__ = "0.1.0"

__all__ = [
    "Back",
    "Explainer",
    "Explanation",
    "Method",
    "Recipe",
    "RelpropError",
    "Selector",
    "at",
    "check_rule",
    "explain",
    "load_model",
    "margin",
    "rule",
    "save_model",
]


def __getattr__(name: str) -> ModuleType:
    """`relprop.evaluate`, loaded when it is first used."""
    if name == "evaluate":
        return import_module(".evaluate", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
