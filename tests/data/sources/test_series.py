"""Time series in files of the UCR and UEA archives."""

import numpy as np
import pytest

from relprop.data import DataOptions
from relprop.data.memory import Limit
from relprop.data.sources.series import fill_gaps, is_series_file, read_series_file
from relprop.errors import FileError

LIMIT = Limit(10**9, 0, True)
HEAD = "# notes\n%@ more\n@problemName Vowels\n@timeStamps false\n@classLabel true a b\n@data\n"


def read(tmp_path, body, head=HEAD, name="v_TRAIN.ts", test=None):
    (tmp_path / name).write_text(head + body)
    return read_series_file(tmp_path / name, LIMIT, test)


def test_channels_of_different_lengths_and_labels(tmp_path):
    raw = read(tmp_path, "1,2,3:4,5,6:a\n\n7,8:9,10:b\n")
    assert [one.tolist() for one in raw.samples] == [[[1, 2, 3], [4, 5, 6]], [[7, 8], [9, 10]]]
    assert raw.samples[0].dtype == np.float32
    assert raw.labels.tolist() == ["a", "b"]
    assert raw.findings[0].value == "2, 2 channels, 2 to 3 steps"
    assert raw.warnings == ()


def test_the_test_part(tmp_path):
    read(tmp_path, "5,6:b\n", name="v_TEST.ts")
    raw = read(tmp_path, "1,2:a\n3,4:b\n", test=tmp_path / "v_TEST.ts")
    assert raw.official.tolist() == ["train", "train", "test"]
    assert raw.keys == ["v_TRAIN.ts series 1", "v_TRAIN.ts series 2", "v_TEST.ts series 1"]
    assert raw.samples[2].tolist() == [[5, 6]]


def test_missing_steps_are_filled_on_the_line_and_counted(tmp_path):
    raw = read(tmp_path, "?,2,NaN,4,?:5,6,7:a\n1,2:3,4:b\n")
    assert raw.samples[0].tolist() == [[2, 2, 3, 4, 4], [5, 6, 7, 7, 7]]
    assert raw.warnings == (
        "Filled on the line between their neighbours: 5 missing values of series.",
    )
    empty, filled = fill_gaps(np.full((1, 3), np.nan, np.float32))
    assert (empty.tolist(), filled) == ([[0, 0, 0]], 3)


def test_values_instead_of_classes(tmp_path):
    head = HEAD.replace("@classLabel true a b", "@targetLabel true")
    raw = read(tmp_path, "1,2:0.5\n3,4:7\n", head)
    assert raw.labels.tolist() == [0.5, 7.0]


WRONG = {
    "no label": ("1,2,3\n", HEAD, "line 7 .* has no colon before a label\n.*\n.*correct line 7: "),
    "no number": ("1,two,3:a\n", HEAD, "line 7 .* has a value that is no number"),
    "no series": ("", HEAD, "has no series behind a line @data"),
    "time stamps": ("(1,2):a\n", HEAD.replace("Stamps false", "Stamps true"), "has a time stamp"),
    "no classes": ("1,2:\n", HEAD.replace("true a b", "false"), "has no labels: @classLabel false"),
    "other channels": ("1,2:3,4:a\n1,2:b\n", HEAD, "series of 1, 2 channels"),
}


@pytest.mark.parametrize("case", WRONG)
def test_damaged_files_are_errors(case, tmp_path):
    body, head, message = WRONG[case]
    with pytest.raises(FileError, match=message):
        read(tmp_path, body, head)


@pytest.mark.parametrize(("name", "between"), [("v_TRAIN.tsv", "\t"), ("v_TRAIN.txt", "  ")])
def test_rows_of_the_ucr_archive(name, between, tmp_path):
    rows = [["2", "0.5", "NaN", "1.5"], ["1", "3", "4", "NaN"]]
    raw = read(tmp_path, "\n".join(between.join(row) for row in rows), "", name)
    assert [one.tolist() for one in raw.samples] == [[[0.5, 1, 1.5]], [[3, 4]]]
    assert raw.labels.tolist() == ["2", "1"]
    assert is_series_file(tmp_path / name, DataOptions())
    assert not is_series_file(tmp_path / name, DataOptions(modality="table"))


def test_a_table_with_names_is_no_file_of_series(tmp_path):
    (tmp_path / "v_TRAIN.tsv").write_text("a\tb\tc\n1\t2\t3\n")
    assert not is_series_file(tmp_path / "v_TRAIN.tsv", DataOptions())
    (tmp_path / "v.tsv").write_text("1\t2\t3\n4\t5\t6\n")
    assert not is_series_file(tmp_path / "v.tsv", DataOptions())


def test_more_series_than_fit_are_sampled(tmp_path):
    body = "\n".join(",".join([str(i)] * 1000) + f":{i}" for i in range(500))
    (tmp_path / "v.ts").write_text(HEAD + body)
    raw = read_series_file(tmp_path / "v.ts", Limit(1_000_000, 0, True))
    assert len(raw.samples) == 250
    assert [f"{one[0, 0]:g}" for one in raw.samples] == raw.labels.tolist()


def test_what_is_no_number_in_a_line_is_an_error_not_a_gap(tmp_path):
    for wrong in ("1\t0.5\toops\t2", "cat\t0.5\t1\t2", "1\t0.5\t1"):
        (tmp_path / "a_TRAIN.tsv").write_text(f"0\t1\t2\t3\n{wrong}\n")
        with pytest.raises(
            FileError, match=r"line 2 of .*(is no number|has 3 values, the first 4)"
        ):
            read_series_file(tmp_path / "a_TRAIN.tsv", LIMIT)


def test_a_line_without_a_class_has_none(tmp_path):
    (tmp_path / "a_TRAIN.tsv").write_text("0\t1\t?\t3\nNaN\t1\t2\tNaN\n")
    raw = read_series_file(tmp_path / "a_TRAIN.tsv", LIMIT)
    assert raw.labels.tolist() == ["0", None]
    assert [one.tolist() for one in raw.samples] == [[[1, 2, 3]], [[1, 2]]]
