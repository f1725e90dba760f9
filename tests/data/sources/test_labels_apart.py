"""Tables whose labels are in a file of their own, and where that is found."""

import numpy as np
import pandas
import pytest

from relprop.data.memory import Limit
from relprop.data.options import DataOptions
from relprop.data.read import read_dataset
from relprop.data.sources.labels_apart import labels_beside
from relprop.data.sources.tables import LabelFiles, read_table_file
from relprop.errors import FileError

N = 40
TABLE = pandas.DataFrame({"a": np.arange(N) % 7, "b": np.arange(N) % 5 + 0.5})
LABELS = pandas.DataFrame({"town": np.array(["New York", "Bonn"])[np.arange(N) % 2]})


@pytest.fixture
def folder(tmp_path):
    TABLE.to_csv(tmp_path / "X_train.csv", index=False)
    LABELS.to_csv(tmp_path / "y_train.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("table", "labels"),
    [
        ("X.csv", "y.csv"),
        ("x_train.csv", "Y_train.csv"),
        ("X-test.csv", "y-test.csv"),
        ("features.csv", "labels.csv"),
        ("train_features.csv.gz", "train_target.csv"),
    ],
)
def test_labels_are_found_by_their_name(table, labels, tmp_path):
    for name in (table, labels, "index.csv", "y.bak", "labels.aaa"):
        (tmp_path / name).touch()
    assert labels_beside(tmp_path / table) == tmp_path / labels
    assert labels_beside(tmp_path / "index.csv") is None
    assert labels_beside(tmp_path / labels) is None


def test_labels_and_an_official_test_part(folder):
    TABLE[::-1].to_csv(folder / "X_test.csv", index=False)
    LABELS[::-1].to_csv(folder / "y_test.csv", index=False)
    for source in (folder, folder / "X_train.csv"):
        dataset = read_dataset(source)
        assert list(dataset.columns) == ["a", "b"]
        assert dataset.target.names == ("Bonn", "New York")
        labels = [dataset.target.names[i] for i in dataset.target.values]
        assert labels == [*LABELS["town"], *LABELS["town"][::-1]]
        assert (dataset.parts == "test").tolist() == [False] * N + [True] * N
    said = [(f.value, f.reason) for f in dataset.findings if f.what in ("labels", "target")]
    beside = "beside X_train.csv, a row for each of its rows"
    assert said == [("y_train.csv", beside), ("town", "named by the source")]


def test_a_test_part_without_labels_is_of_no_use_and_said(folder):
    TABLE.to_csv(folder / "X_test.csv", index=False)
    dataset = read_dataset(folder)
    assert len(dataset.parts) == N
    assert any(w.startswith("The test part has no targets") for w in dataset.warnings)


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        ("\n".join(["0", *map(str, np.arange(N) % 2)]), ("0", "1")),  # a Series without a name
        ("\n".join(map(str, np.arange(N) % 2)), ("0", "1")),
        (LABELS.to_csv(index=True), ("Bonn", "New York")),
        (LABELS.assign(a=TABLE["a"]).to_csv(index=False), ("Bonn", "New York")),
    ],
)
def test_labels_in_several_forms(written, classes, folder):
    (folder / "y_train.csv").write_text(written)
    dataset = read_dataset(folder / "X_train.csv")
    assert dataset.target.names == classes
    assert dataset.samples["b"].tolist() == TABLE["b"].tolist()
    assert dataset.target.values[:4].tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])


def test_several_labels_are_all_predicted(folder):
    yes = pandas.DataFrame({"red": np.arange(N) % 2, "big": np.arange(N) % 3 == 0})
    yes.to_csv(folder / "y_train.csv", index=False)
    target = read_dataset(folder).target
    assert (target.task, target.names) == ("labels", ("red", "big"))
    assert target.values[:4].tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]


def test_sampled_rows_keep_their_labels(folder):
    numbers = pandas.DataFrame({"n": np.arange(3000) * 7, "m": 1.5})
    numbers.to_csv(folder / "X_train.csv", index=False)
    (numbers["n"] + 1).to_csv(folder / "y_train.csv", index=False, header=["next"])
    limit = Limit(10_000, 0, True)
    labels = LabelFiles(folder / "y_train.csv")
    frame = read_table_file(folder / "X_train.csv", limit, labels=labels).samples
    assert 100 < len(frame) < 2000
    assert frame["next"].tolist() == (frame["n"] + 1).tolist()


def test_labels_that_do_not_fit_are_refused(folder):
    LABELS[1:].to_csv(folder / "y_train.csv", index=False)
    with pytest.raises(
        FileError, match=r"40 rows, and y_train\.csv 39 labels(?s:.*)rename y_train"
    ):
        read_dataset(folder)
    LABELS.assign(a=TABLE["a"][::-1].to_numpy()).to_csv(folder / "y_train.csv", index=False)
    with pytest.raises(
        FileError, match=r"other values in the column 'a' than(?s:.*)sort both by a"
    ):
        read_dataset(folder)


def test_the_user_may_name_the_labels_as_any_column(folder):
    dataset = read_dataset(folder / "X_train.csv", DataOptions(target="a", drop=("town",)))
    assert list(dataset.columns) == ["b"]
    assert dataset.target.names == tuple("0123456")
