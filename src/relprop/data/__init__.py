"""Data sets for `relprop fit`, and the digits and clothes of the demo.

`read_dataset` reads any data set, with what `DataOptions` says about it, to a `Dataset`.
`load_digits` loads a split of MNIST or Fashion-MNIST; `find_digits` its
test split, or the 5,000 digits of `packaged_digits` where there are neither data nor network;
`first_digits` takes some.
"""

from .dataset import Dataset, DataTarget, Finding
from .digits import Digits, first_digits
from .load import find_digits, load_digits
from .options import DataOptions
from .packaged import packaged_digits
from .read import read_dataset

__all__ = [
    "DataOptions",
    "DataTarget",
    "Dataset",
    "Digits",
    "Finding",
    "find_digits",
    "first_digits",
    "load_digits",
    "packaged_digits",
    "read_dataset",
]
