"""relprop: explains what a PyTorch model looked at, and measures how faithful that is."""

from importlib import import_module
from types import ModuleType

from .errors import RelpropError
from .explanation.explain import explain
from .explanation.explainer import Explainer
from .explanation.method import Method
from .explanation.result import Explanation
from .explanation.targets import at
from .models.checkpoint import load_model, save_model
from .recipes.recipe import Recipe
from .recipes.selectors import Selector
from .rules.backward import Back
from .rules.registry import rule
from .support.margin import margin
from .testing import check_rule

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

_LAZY = ("data", "evaluate", "integrations")  # loaded when first used: they import more than torch


def __getattr__(name: str) -> ModuleType:
    """Import a public sub-package at its first use."""
    if name in _LAZY:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
