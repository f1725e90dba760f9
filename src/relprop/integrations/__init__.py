"""Adapters for other libraries."""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    """Import an adapter at its first use."""
    if name in ("captum", "lightning", "quantus", "sklearn"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
