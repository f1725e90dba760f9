"""Compares attribution methods by feature removal, for several models and fills.

`compare` runs a comparison described by `Settings` in a folder, where a stopped run can be
continued, and returns a `Comparison`: a `ModelFillResult` for each model and fill, with a
`MethodResult` for each method and an `OrderResult` for each order of removal. `METHODS` are the
methods that are compared where none are named.
"""

from .methods import METHODS
from .results import Comparison, MethodResult, ModelFillResult, OrderResult
from .run import compare
from .settings import Settings

__all__ = [
    "METHODS",
    "Comparison",
    "MethodResult",
    "ModelFillResult",
    "OrderResult",
    "Settings",
    "compare",
]
