"""The data sets of docs/any-dataset.md: where they are, how they are split, what is asked of them.

Takes the folder of the data. Gives, for each data set, the files that `relprop fit` is called with,
once for each seed or fold. Everything is written as files, since that is what users have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import StratifiedKFold, train_test_split

REPEATS, FOLDS = 3, 5


@dataclass(frozen=True)
class Sources:
    """Folders of what the data sets are made of.

    Attributes:
        data: Folder with mnist/, fashion-mnist/, tabular/, text/ and cifar10-8k.tar.xz.
        series: Folder in which .ts files of the UCR archive lie, at any depth.
        encoder: Folder of a pretrained `transformers` encoder; None leaves out its row.
    """

    data: Path
    series: Path
    encoder: Path | None


@dataclass(frozen=True)
class Task:
    """One call of `relprop fit`.

    Attributes:
        name: What distinguishes it from the others of its row: a seed, or a repeat and fold.
        seed: Random seed.
        arguments: Data and options, without budget and seed.
        tested: Whether each sample of the data set is in the test part; None where it has its own.
        baselines: Whether the baselines of the row run on it; they have one seed.
    """

    name: str
    seed: int
    arguments: tuple[str, ...]
    tested: np.ndarray | None = None
    baselines: bool = True


@dataclass(frozen=True)
class Row:
    """One data set.

    Attributes:
        name: What the page calls it.
        budget: Budget of each call, as `relprop fit` takes it.
        wanted: Accuracy on the test part that is asked for, in per cent.
        known: What others reach, in words.
        tasks: Writes files to a folder, and gives the calls.
        baselines: Which baselines of any_dataset_baselines.py run beside it: "table", "text", "".
    """

    name: str
    budget: str
    wanted: float
    known: str
    tasks: Callable[[Sources, Path], Iterator[Task]]
    baselines: str = ""


def _folder(name: str) -> Callable[[Sources, Path], Iterator[Task]]:
    """Take a folder or archive that has its own test part."""

    def tasks(sources: Sources, work: Path) -> Iterator[Task]:
        yield Task("seed 0", 0, (str(sources.data / name),))

    return tasks


def _adult(sources: Sources, work: Path) -> Iterator[Task]:
    table = sources.data / "tabular"
    files = (str(table / "adult-train.csv.gz"), "--test", str(table / "adult-test.csv.gz"))
    for seed in range(3):
        yield Task(f"seed {seed}", seed, files, baselines=seed == 0)


def _folds(frame: Callable[[Sources], pandas.DataFrame]) -> Callable[..., Iterator[Task]]:
    """Cut a table whose last column is the label into folds, several times."""

    def tasks(sources: Sources, work: Path) -> Iterator[Task]:
        rows = frame(sources)
        rows.columns = [*(f"x{i + 1}" for i in range(rows.shape[1] - 1)), "label"]
        for repeat in range(REPEATS):
            cut = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat)
            for fold, (train, test) in enumerate(cut.split(rows, rows["label"])):
                name = f"repeat {repeat} fold {fold}"
                files = _write(rows.iloc[train], rows.iloc[test], work / name.replace(" ", "-"))
                tested = np.isin(np.arange(len(rows)), test)
                yield Task(name, repeat, (*files, "--target", "label"), tested)

    return tasks


def _table(name: str) -> Callable[[Sources], pandas.DataFrame]:
    """Read a table without header."""
    return lambda sources: pandas.read_csv(
        sources.data / "tabular" / name, header=None, na_values="?", skipinitialspace=True
    )


def _german(sources: Sources) -> pandas.DataFrame:
    frame = _table("german.csv")(sources)
    return frame.astype({frame.columns[-1]: str})


def _of_sklearn(load: Callable[..., object]) -> Callable[[Sources], pandas.DataFrame]:
    return lambda sources: load(as_frame=True).frame.copy()


def _sentences(encoder: bool) -> Callable[[Sources, Path], Iterator[Task]]:
    """Cut rt-polarity: 70 % and 10 % to train and validate, 20 % to test."""

    def tasks(sources: Sources, work: Path) -> Iterator[Task]:
        parts = [
            (line.strip(), name)
            for name in ("neg", "pos")
            for line in (sources.data / "text" / f"rt-polarity.{name}")
            .read_text("latin-1")
            .splitlines()
        ]
        rows = pandas.DataFrame(parts, columns=["text", "label"])
        for seed in range(3):
            train, test = train_test_split(
                rows, test_size=0.2, random_state=seed, stratify=rows["label"]
            )
            files = _write(train, test.sort_index(), work / f"seed-{seed}")
            tested = np.isin(np.arange(len(rows)), test.index)
            options = ("--encoder", str(sources.encoder)) if encoder else ()
            yield Task(f"seed {seed}", seed, (*files, "--target", "label", *options), tested)

    return tasks


def _series(name: str) -> Callable[[Sources, Path], Iterator[Task]]:
    def tasks(sources: Sources, work: Path) -> Iterator[Task]:
        file = next(sources.series.rglob(f"{name}_TRAIN.ts"))
        for seed in range(3):
            yield Task(f"seed {seed}", seed, (str(file),))

    return tasks


def _write(train: pandas.DataFrame, test: pandas.DataFrame, folder: Path) -> tuple[str, str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    for part, frame in (("train", train), ("test", test)):
        frame.to_csv(folder / f"{part}.csv", index=False)
    return str(folder / "train.csv"), "--test", str(folder / "test.csv")


ROWS = (
    Row("MNIST", "15m", 99.6, "shipped CNN 99.51", _folder("mnist")),
    Row("Fashion-MNIST", "15m", 93, "Google AutoML, 24 h: 93.9", _folder("fashion-mnist")),
    Row("CIFAR-10, 8,000 pictures", "15m", 80, "small ResNet-9 77.4", _folder("cifar10-8k.tar.xz")),
    Row("Adult", "5m", 86.7, "FLAML, 90 s: 87.18", _adult, "table"),
    Row("Sonar", "2m", 86, "", _folds(_table("sonar.csv")), "table"),
    Row("German credit", "2m", 76, "", _folds(_german), "table"),
    Row(
        "Breast cancer, 699 x 9",
        "2m",
        96.8,
        "",
        _folds(_table("breast-cancer-wisconsin.csv")),
        "table",
    ),
    Row(
        "Breast cancer, 569 x 30", "2m", 97.5, "", _folds(_of_sklearn(load_breast_cancer)), "table"
    ),
    Row("Wine", "2m", 98.3, "", _folds(_of_sklearn(load_wine)), "table"),
    Row("Banknote", "2m", 99.8, "", _folds(_table("banknote_authentication.csv")), "table"),
    Row("rt-polarity", "10m", 78, "n-grams 78.2", _sentences(encoder=False), "text"),
    Row(
        "rt-polarity, pretrained encoder",
        "10m",
        81,
        "top layers tuned 81.8",
        _sentences(encoder=True),
        "text",
    ),
    *(
        Row(name, "2m", wanted, f"small FCN {known}", _series(name))
        for name, wanted, known in (
            ("ItalyPowerDemand", 95.5, 95.6),
            ("GunPoint", 100, 100),
            ("ArrowHead", 84, 84.3),
            ("OSULeaf", 97, 97.5),
            ("JapaneseVowels", 98.5, 99.2),
            ("BasicMotions", 100, 100),
        )
    ),
)


def labels_of(test: Path) -> np.ndarray:
    """Return the labels of a test file as `_write` made it."""
    return pandas.read_csv(test, dtype=str)["label"].to_numpy()
