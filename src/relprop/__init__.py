"""relprop: explains what a PyTorch model looked at, and measures how faithful that is."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import RelpropError
from .explanation.explain import explain
from .explanation.explainer import Explainer
from .explanation.method import Method
from .explanation.result import Explanation
from .explanation.targets import at
from .recipes.recipe import Recipe
from .recipes.selectors import Selector
from .rules.backward import Back
from .rules.registry import rule
from .search.api import fit
from .support.margin import margin

if TYPE_CHECKING:
    from .bundles.bundle import Bundle, load
    from .explanation.grid import MapGrid
    from .explanation.overall import overall_importance
    from .models.checkpoint import load_model, save_model
    from .testing import check_rule
    from .tuning.api import tune
    from .tuning.result import TunedRecipe

__version__ = "0.1.0"

__all__ = [
    "Back",
    "Bundle",
    "Explainer",
    "Explanation",
    "MapGrid",
    "Method",
    "Recipe",
    "RelpropError",
    "Selector",
    "TunedRecipe",
    "at",
    "check_rule",
    "explain",
    "fit",
    "load",
    "load_model",
    "margin",
    "overall_importance",
    "rule",
    "save_model",
    "tune",
]

# Imported at their first use, so that `import relprop` stays quick.
_LAZY_MODULES = ("data", "evaluate", "integrations", "models", "preprocess", "testing", "use")
_LAZY_NAMES = {
    "Bundle": "bundles.bundle",
    "MapGrid": "explanation.grid",
    "TunedRecipe": "tuning.result",
    "check_rule": "testing",
    "load": "bundles.bundle",
    "load_model": "models",
    "overall_importance": "explanation.overall",
    "save_model": "models",
    "tune": "tuning.api",
}


def __getattr__(name: str) -> Any:
    """Import a public module, or the module of a public name, at its first use."""
    if name in _LAZY_MODULES:
        return import_module(f".{name}", __name__)
    if name in _LAZY_NAMES:
        return getattr(import_module(f".{_LAZY_NAMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
