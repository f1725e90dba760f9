"""Columns of very many categories: a category becomes the mean of the target over its samples.

Takes text of the training part and its target. Gives numbers, one for each output that is to be
predicted. Must not know frames.

n  rows      t  targets
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..support.extras import needs
from .fitted_state import pack, unpack

with needs("fit", "preparing tables"):
    from pandas import Series
    from sklearn.preprocessing import TargetEncoder

# Rarer categories are one: the mean over few samples would tell each of them its own target.
_SAMPLES = 20
# Weight of the mean of all samples, in samples, beside those of a category.
_SMOOTHING = 20.0
_RARE = " rare"  # as `MISSING`, equal to no text of a file


@dataclass(frozen=True)
class WideCategories:
    """Means of the target by category, fitted on the training part.

    Attributes:
        kept: Categories that have a mean of their own; all others share one.
        encoders: One for each target.
    """

    kept: tuple[str, ...]
    encoders: tuple[TargetEncoder, ...]

    @classmethod
    def fit(cls, text: NDArray[np.object_], targets: NDArray[np.float64]) -> "WideCategories":
        """Take the means of targets (n, t) by category, of text (n,)."""
        counts = Series(text).value_counts()
        kept = tuple(sorted(counts.index[counts >= _SAMPLES]))
        column = _merged(text, kept)
        encoder = {"target_type": "continuous", "smooth": _SMOOTHING}
        encoders = [TargetEncoder(**encoder).fit(column, target) for target in targets.T]
        return cls(kept, tuple(encoders))

    def apply(self, text: NDArray[np.object_]) -> NDArray[np.float64]:
        """Return the mean of each target over the category of each row, (n, t)."""
        column = _merged(text, self.kept)
        return np.concatenate([encoder.transform(column) for encoder in self.encoders], axis=1)

    def state(self, tensors: dict[str, Tensor]) -> dict[str, Any]:
        """Return plain values; arrays of numbers go to `tensors`."""
        return {"kept": list(self.kept), "encoders": pack(self.encoders, tensors)}

    @classmethod
    def restore(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> "WideCategories":
        """Make again what gave `state`."""
        return cls(tuple(state["kept"]), tuple(unpack(state["encoders"], tensors)))


def _merged(text: NDArray[np.object_], kept: tuple[str, ...]) -> NDArray[np.object_]:
    """Replace rare and unknown categories, (n, 1).

    TargetEncoder would count categories that it is not told of with the first one.
    """
    return np.where(Series(text, dtype=object).isin(kept), text, _RARE)[:, None]
