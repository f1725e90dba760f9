"""Numbers as piecewise linear features: a network then bends its response at the edges of bins.

Takes and gives arrays, as a scikit-learn transformer. Must not know frames or networks.

n  rows      k  columns      b  bins of a column

Source: Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning",
section 3.2.
"""

from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..support.extras import needs

with needs("fit", "preparing tables"):
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
    from sklearn.utils.validation import check_is_fitted, validate_data

# Rows that a leaf of a tree has at least, as a share of all and in number.
_LEAF_SHARE, _LEAF = 0.002, 10


class PiecewiseLinear(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Split each column into bins: a feature is the part of its bin that a number has passed.

    Feature t of a number x is (x - e[t]) / (e[t + 1] - e[t]), kept within 0 and 1, for edges e. A
    missing number is missing in all of its features. A column of one value has no bins.

    Args:
        bins: Bins of a column at most.
        by: Where edges are: at "quantile"s of the column, or where a decision "tree" on this column
            splits to predict the target.

    Attributes:
        edges_: Edges of each column, a list of k arrays (b + 1,), the lowest first.

    Example:
        >>> PiecewiseLinear(2).fit([[0.0], [4.0], [6.0]]).transform([[1.0], [5.0], [9.0]]).tolist()
        [[0.25, 0.0], [1.0, 0.5], [1.0, 1.0]]
    """

    def __init__(self, bins: int = 16, by: Literal["quantile", "tree"] = "quantile") -> None:
        self.bins = bins
        self.by = by

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the edges.

        Args:
            X: Columns (n, k).
            y: For trees: class numbers (whole), or values; (n,) or (n, targets).
        """
        x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        self.edges_ = [self._edges(column, y) for column in x.T]
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Map columns (n, k) to features (n, sum of bins), those of a column beside each other."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        features = [_passed(column, edges) for column, edges in zip(x.T, self.edges_, strict=True)]
        return np.concatenate(features, axis=1)

    def intervals(self) -> list[tuple[int, float, float]]:
        """Return the column of each feature, and the edges of its bin."""
        return [
            (column, float(low), float(high))
            for column, edges in enumerate(self.edges_)
            for low, high in pairwise(edges)
        ]

    def _edges(self, column: NDArray[np.float64], y: Any) -> NDArray[np.float64]:
        there = ~np.isnan(column)
        values = column[there]
        if not len(values) or values.min() == values.max():
            return np.zeros(0)
        if self.by == "quantile":
            return np.unique(np.quantile(values, np.linspace(0, 1, self.bins + 1)))
        inner = _splits(values, np.asarray(y)[there], self.bins)
        return np.unique([values.min(), *inner, values.max()])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = self.by == "tree"
        return tags


def _splits(values: NDArray[np.float64], y: NDArray[Any], bins: int) -> NDArray[np.float64]:
    """Return where a decision tree on one column splits it."""
    kind = DecisionTreeClassifier if np.issubdtype(y.dtype, np.integer) else DecisionTreeRegressor
    leaf = max(_LEAF, round(_LEAF_SHARE * len(values)))
    tree = kind(max_leaf_nodes=max(bins, 2), min_samples_leaf=leaf, random_state=0)
    found = tree.fit(values[:, None], y).tree_
    return np.asarray(found.threshold[found.children_left >= 0])


def _passed(column: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of each bin that the numbers of a column have passed, (n, b)."""
    parts = (column[:, None] - edges[:-1]) / np.diff(edges)
    return np.clip(parts, 0.0, 1.0)
