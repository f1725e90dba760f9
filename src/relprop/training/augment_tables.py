"""Rows of a table that are made from other rows: cells exchanged, numbers mixed.

Takes a frame. Gives a frame of new rows, with the same columns. Must not know targets or networks.

n  rows that are made      k  columns
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import InputError
from ..support.extras import needs

if TYPE_CHECKING:
    from pandas import DataFrame


def made_rows(
    frame: "DataFrame", count: int, *, swap: float, mix: bool, random: Generator
) -> "DataFrame":
    """Make rows, each of a row of the frame and a second one.

    Args:
        frame: Rows to make them of.
        count: How many to make.
        swap: Share of the cells that are taken from the second row, 0 to 1.
        mix: Whether numbers are also drawn between those of the two rows, with one share for all
            numbers of a row; the other columns are then from the second row with that share.
        random: Where random numbers come from.

    Raises:
        InputError: `swap` is no share.
    """
    if not 0 <= swap <= 1:
        raise InputError(f"swap is {swap!r}", "a share of the cells, 0 to 1", "write swap=0.25")
    with needs("fit", "rows made of others"):
        import pandas
    first, second = random.integers(len(frame), size=(2, count))  # (n,)
    share = random.uniform(size=count) if mix else np.zeros(count)  # of the second row
    exchanged = random.uniform(size=(count, frame.shape[1])) < swap  # (n, k)
    columns = {
        name: _made(frame[name], first, second, share, exchanged[:, place], random)
        for place, name in enumerate(frame.columns)
    }
    return pandas.DataFrame(columns)


def _made(
    column: Any,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    share: NDArray[np.float64],
    exchanged: NDArray[np.bool_],
    random: Generator,
) -> Any:
    """Return the cells of one column of the rows that are made, (n,)."""
    if column.dtype.kind != "f":
        taken = exchanged | (random.uniform(size=len(share)) < share)
        return column.take(np.where(taken, second, first)).reset_index(drop=True)
    values = column.to_numpy()
    one, other = values[first], values[second]
    mixed = one + share * (other - one)
    if (lacking := np.isnan(mixed)).any():  # there is nothing between a number and none
        taken = random.uniform(size=len(share)) < share
        mixed = np.where(lacking, np.where(taken, other, one), mixed)
    return np.where(exchanged, other, mixed)
