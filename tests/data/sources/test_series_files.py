"""Time series of which each is a file, in a folder for each class."""

import pytest

from relprop.data.memory import Limit
from relprop.data.sources.series_files import read_series_folders
from relprop.errors import FileError, InputError

LIMIT = Limit(10**9, 0, True)


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def test_columns_are_channels_and_rows_are_steps(tmp_path):
    files = {
        "train/walk/1.csv": "time,x,y\n0,1,2\n1,3,4\n2,5,6\n",
        "test/run/1.csv": "time,x,y\n0,7,8\n1,,10\n",
    }
    raw = read_series_folders(write(tmp_path, files), LIMIT)
    assert [one.tolist() for one in raw.samples] == [[[7, 7], [8, 10]], [[1, 3, 5], [2, 4, 6]]]
    assert raw.labels.tolist() == ["run", "walk"]
    assert raw.official.tolist() == ["test", "train"]
    assert [f.value for f in raw.findings] == ["2, 2 channels, 2 to 3 steps", "x, y"]
    assert raw.warnings == ("Filled from their neighbours: 1 missing value.",)


def test_files_without_names_of_columns(tmp_path):
    raw = read_series_folders(write(tmp_path, {"a/1.csv": "1;2\n3;4\n", "b/1.csv": "5;6\n"}), LIMIT)
    assert [one.tolist() for one in raw.samples] == [[[1, 3], [2, 4]], [[5], [6]]]


def test_files_that_differ_or_hold_texts_are_errors(tmp_path):
    same = {f"a/{i}.csv": "x,y\n1,2\n" for i in range(3)}
    with pytest.raises(InputError, match=r"odd\.csv has the columns x, z, most have x, y"):
        read_series_folders(write(tmp_path / "1", {**same, "b/odd.csv": "x,z\n1,2\n"}), LIMIT)
    with pytest.raises(FileError, match=r"text\.csv cannot be read"):
        read_series_folders(write(tmp_path / "2", {**same, "b/text.csv": "x,y\n1,up\n"}), LIMIT)


def test_files_that_are_no_series_are_counted(tmp_path):
    files = {"a/1.csv": "x,y\n1,2\n3,4\n", "b/1.csv": "x,y\n1,2\n3,4\n", "b/2.mat": "-"}
    raw = read_series_folders(write(tmp_path, files), LIMIT)
    assert raw.warnings == ("Not used, as of other kinds: 1 file .mat.",)
