"""The data sets of the MNIST family: their names, addresses and published files.

Gives constants, and checks of names that users write. Must not know how files are read.
"""

from typing import Literal, cast

from ..errors import InputError
from ..support.arguments import suggest

Split = Literal["train", "test"]
Family = Literal["mnist", "fashion-mnist"]

SPLITS = ("train", "test")
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
URLS = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
}
TEST_IMAGES = 10_000  # in the published test split of each
# Size in bytes and MD5 of each published file. The families use the same file names.
PUBLISHED = {
    "mnist": {
        "train-images-idx3-ubyte.gz": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        "train-labels-idx1-ubyte.gz": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        "t10k-images-idx3-ubyte.gz": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        "t10k-labels-idx1-ubyte.gz": (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        "train-labels-idx1-ubyte.gz": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        "t10k-images-idx3-ubyte.gz": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        "t10k-labels-idx1-ubyte.gz": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    },
}


def parse_family(name: str) -> Family:
    """Check the name of a data set. Raises InputError for an unknown one."""
    check_choice("family", name, tuple(TITLES))
    return cast(Family, name)


def check_choice(parameter: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise InputError unless `value` is one of the allowed values of a parameter."""
    if value not in allowed:
        choices = " or ".join(map(repr, allowed))
        raise InputError(f"{parameter} is {value!r}", choices, suggest(value, allowed))


def file_names(split: str) -> tuple[str, str]:
    """Return the published file names of the images and the labels of a split."""
    prefix = {"train": "train", "test": "t10k"}[split]
    return f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"
