"""Importance of a table's columns by relevance, in the form of scikit-learn's importances.

Takes a model and a table. Gives a Bunch of arrays. Needs scikit-learn.

n  rows      k  columns, those of a group as one
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..explanation.explainer import Explainer
from ..explanation.targets import Target
from ..plot.tables import Columns
from ..support.extras import needs

with needs("evaluate", "relprop.integrations.sklearn"):
    from sklearn.utils import Bunch

__all__ = ["relevance_importance"]

ROWS = 1024  # explained at a time


def relevance_importance(
    model: nn.Module | Explainer,
    X: Any,
    target: Target = None,
    *,
    groups: Mapping[str, Sequence[str | int]] | None = None,
) -> Any:
    """Measure the importance of each column of a table by its relevance, mean |R| over the rows.

    The result has the form of `sklearn.inspection.permutation_importance`, but says something else:
    how much of the explained score a column received, not what the model loses without it. LRP
    compares with 0: a standardised value at its mean, and a one-hot column that is 0, receive
    nothing.

    Args:
        model: A model that takes a table (n, columns), in eval mode; or an `Explainer` of one, for
            another recipe than "auto".
        X: The table: a DataFrame of pandas or polars, an array or a tensor, of numbers as the model
            takes them. It is converted to the model's dtype.
        target: What is explained, as `Explainer` takes it; None: the predicted class of each row.
        groups: Name -> columns, by name or position, whose relevance is summed before |R| is taken:
            one-hot columns as the one that they stand for.

    Returns:
        A `sklearn.utils.Bunch`: importances_mean (k,), importances_std (k,), importances (k, n),
        and feature_names, a list of k.

    Raises:
        InputError: The table has no numbers, or a group names a column that does not exist.
        MissingExtraError: scikit-learn is not installed.

    Example:
        >>> import numpy, torch, relprop
        >>> model = torch.nn.Linear(3, 1, bias=False).eval()
        >>> _ = model.weight.data.copy_(torch.tensor([[1.0, -2.0, 1.0]]))
        >>> table = numpy.array([[1.0, 1.0, 0.0], [3.0, 1.0, 1.0]])
        >>> explainer = relprop.Explainer(model, "zero")
        >>> result = relevance_importance(explainer, table, groups={"both": [1, 2]})
        >>> result.feature_names, result.importances_mean.tolist()
        (['0', 'both'], [2.0, 1.5])
    """
    explainer = model if isinstance(model, Explainer) else Explainer(model)
    x, names = _as_tensor(explainer.model, X), getattr(X, "columns", None)
    columns = Columns.of(x.shape[1:], None if names is None else list(names), groups)
    relevance = explainer(x, target, batch_size=ROWS).relevance
    if relevance.shape != x.shape:
        given = "several targets, which have an importance each"
        raise InputError(given, "one target", "call it once for each: target=0")
    kept, sums = columns.summed(relevance)
    importances = sums.abs().T.numpy()
    return Bunch(
        importances_mean=importances.mean(1),
        importances_std=importances.std(1),
        importances=importances,
        feature_names=[one if isinstance(one, str) else columns.name(one) for one in kept],
    )


def _as_tensor(model: nn.Module, table: Any) -> Tensor:
    """Return a table (n, columns) as the model takes it."""
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    if isinstance(table, Tensor):
        return _checked(table.to(like))
    try:
        numbers = np.array(table, dtype=np.float64)
    except (TypeError, ValueError):
        given = f"X, a {type(table).__name__} that holds more than numbers"
        todo = "write pandas.get_dummies(X), or the columns as the model was trained on them"
        raise InputError(given, "numbers alone", todo) from None
    return _checked(torch.from_numpy(numbers).to(like))


def _checked(x: Tensor) -> Tensor:
    if x.ndim != 2:
        given = f"X of shape {tuple(x.shape)}"
        raise InputError(given, "a table (rows, columns)", "write X.reshape(len(X), -1)")
    return x
