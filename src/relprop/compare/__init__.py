"""Methods side by side: feature removal for several models and methods, in a run that can stop."""

from .results import Case, Comparison, MethodResult, OrderResult
from .running import compare
from .settings import METHODS, Settings

__all__ = ["METHODS", "Case", "Comparison", "MethodResult", "OrderResult", "Settings", "compare"]
