"""One removal: the first features of an order become one number. `curves.py` has the rest."""

from torch import Tensor

from ...errors import InputError


def feature_count(q: float, features: int) -> int:
    """How many features the share q of `features` is: at least one, rounded to the nearest."""
    count = round(q * features) if 0 < q <= 1 else 0
    if count < 1:
        raise InputError(
            f"q = {q:g}, the share of the {features} features to remove",
            f"above 0, at most 1, and at least half a feature (q >= {0.5 / features:.2g})",
            "give for example q = 0.1",
        )
    return count


def remove(x: Tensor, order: Tensor, count: int, *, fill: float = 0.0) -> Tensor:
    """The batch with the first `count` features of each sample's order set to `fill`.

    x      (n, *features), left as it is
    order  (n, at least `count`) feature indices, as `ranking` gives them
    Returns a new tensor of the shape of x.
    """
    if order.ndim != 2 or len(order) != len(x) or not 0 <= count <= order.shape[1]:
        raise InputError(
            f"{count} features to remove by an order of shape {tuple(order.shape)}",
            f"one row for each of the {len(x)} samples, with at least that many features",
            "give relprop.evaluate.ranking(relevance) of the same batch",
        )
    return x.flatten(1).scatter(1, order[:, :count], fill).reshape(x.shape)
