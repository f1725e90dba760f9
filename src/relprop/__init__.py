"""relprop: what a PyTorch classifier looked at, and whether that is true."""

from .engine.recipe import Recipe
from .errors import RelpropError
from .explain import Explainer, explain
from .explanation import Explanation
from .margin import margin
from .models import load_model, save_model

__version__ = "0.1.0"

__all__ = [
    "Explainer",
    "Explanation",
    "Recipe",
    "RelpropError",
    "explain",
    "load_model",
    "margin",
    "save_model",
]
