"""The data of docs/selection.md: tables, digits, sentences, and made designs of known columns.

Takes the folder of the data. Gives data sets, and designs by name.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas

from relprop.data import first_digits, load_digits
from relprop.data.dataset import Dataset
from relprop.data.options import DataOptions
from relprop.data.read import read_dataset

ADULT_ROWS = 2000  # drawn with seed 0
DIGITS = 1000  # the first ones of the training part
SENTENCES = 1000  # of each class
ROWS, COLUMNS, TRUE = 2000, 100, 10  # of the designs

Design = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class RealData:
    """A data set with what is measured on it.

    Attributes:
        name: What the page calls it.
        ks: Numbers of features.
        outer: Outer folds.
        read: Makes the data set.
        left_out: Methods that would take too long on it.
    """

    name: str
    ks: tuple[int, ...]
    outer: int
    read: Callable[[Path], Dataset]
    left_out: tuple[str, ...] = ()


def table(frame: pandas.DataFrame) -> Dataset:
    """Make a data set of a frame whose last column is the label."""
    frame = frame.set_axis([*(f"x{i + 1}" for i in range(frame.shape[1] - 1)), "label"], axis=1)
    return read_dataset(frame.astype({"label": str}), DataOptions(target="label"))


def _read(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(path, header=None, na_values="?", skipinitialspace=True)


def _table(name: str) -> Callable[[Path], Dataset]:
    return lambda data: table(_read(data / "tabular" / name))


def _adult(data: Path) -> Dataset:
    return table(_read(data / "tabular/adult-train.csv.gz").sample(ADULT_ROWS, random_state=0))


def _digits(data: Path) -> Dataset:
    digits = first_digits(load_digits("train", data), DIGITS)
    pictures = (255 * digits.images[:, 0, :, :, None]).round().byte().numpy()
    return read_dataset((pictures, digits.labels.numpy()), DataOptions(modality="picture"))


def _sentences(data: Path) -> Dataset:
    """Read the first sentences of both classes of rt-polarity (Pang and Lee 2005)."""
    read, labels = [], []
    for name in ("neg", "pos"):
        lines = (data / f"text/rt-polarity.{name}").read_text("latin-1").splitlines()
        read += lines[:SENTENCES]
        labels += [name] * SENTENCES
    found = read_dataset((read, labels), DataOptions(modality="text"))
    return replace(found, parts=np.full(len(read), "train"))


REAL = (
    RealData("Sonar", (4, 8, 16, 30), 3, _table("sonar.csv")),
    RealData("German credit", (2, 5, 10), 3, _table("german.csv")),
    RealData("Breast cancer", (1, 2, 4), 3, _table("breast-cancer-wisconsin.csv")),
    RealData(f"Adult, {ADULT_ROWS:,} rows", (2, 4, 7), 3, _adult),
    RealData(
        f"rt-polarity, {2 * SENTENCES:,} sentences",
        (50, 200, 800),
        3,
        _sentences,
        ("permutation importance", "SHAP DeepExplainer"),
    ),
    RealData(
        f"MNIST, {DIGITS:,} digits", (16, 49, 98), 2, _digits, ("permutation importance", "L1")
    ),
)


def linear(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make classes of the logistic model of ten columns."""
    x = random.normal(size=(ROWS, COLUMNS))
    weights = random.choice([-1, 1], TRUE) * random.uniform(0.5, 1.5, TRUE)
    probability = 1 / (1 + np.exp(-2 * (x[:, :TRUE] @ weights) / TRUE**0.5))
    return x, random.random(ROWS) < probability


def correlated(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make ten further columns that correlate with the true ones by 0.7, and tell nothing more."""
    x = random.normal(size=(ROWS, COLUMNS))
    x[:, TRUE : 2 * TRUE] = 0.7 * x[:, :TRUE] + 0.51**0.5 * x[:, TRUE : 2 * TRUE]
    score = x[:, :TRUE] @ random.choice([-1, 1], TRUE) + random.normal(size=ROWS)
    return x, score > 0


def additive(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make classes of a sum of sizes and of sines, each of one column."""
    x = random.normal(size=(ROWS, COLUMNS))
    score = np.abs(x[:, :5]).sum(1) - 5 * 0.8 + np.sin(2 * x[:, 5:TRUE]).sum(1)
    return x, score > 0


def products(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make classes of five products of two columns: like XOR, none tells anything by itself."""
    x = random.normal(size=(ROWS, COLUMNS))
    pairs = x[:, 0:TRUE:2] * x[:, 1:TRUE:2]
    return x, np.clip(pairs, -1, 1).sum(1) > 0


def redundant(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make ten noisy copies of the true columns, which correlate with them by 0.96."""
    x = random.normal(size=(ROWS, COLUMNS))
    x[:, TRUE : 2 * TRUE] = x[:, :TRUE] + 0.3 * random.normal(size=(ROWS, TRUE))
    return x, x[:, :TRUE].sum(1) + random.normal(size=ROWS) > 0


DESIGNS: dict[str, Design] = {
    "linear": linear,
    "correlated": correlated,
    "nonlinear additive": additive,
    "products of pairs (XOR-like)": products,
    "redundant copies": redundant,
}


def make_design(name: str, seed: int) -> tuple[Dataset, np.ndarray]:
    """Make a design with its columns in a random order.

    Returns:
        The data set, and the places of the true columns.
    """
    random = np.random.default_rng(seed)
    x, y = DESIGNS[name](random)
    order = random.permutation(COLUMNS)
    frame = pandas.DataFrame(x[:, order]).assign(label=np.where(y, "yes", "no"))
    return table(frame), np.flatnonzero(order < TRUE)
