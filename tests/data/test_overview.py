"""The table of what was found out about data."""

from dataclasses import replace

import numpy as np

from relprop.data import Dataset, DataTarget, Finding
from relprop.data.overview import overview

DATASET = Dataset(
    source="a.csv",
    modality="table",
    samples=None,
    keys=(),
    target=DataTarget("classes", ("a", "b"), np.zeros(0)),
    parts=np.zeros(0, str),
    findings=(Finding("modality", "table", "rows"), Finding("column age", "number", "numbers")),
    warnings=("Something is odd.",),
)


def test_findings_are_rows_and_warnings_are_lines_below():
    assert overview(DATASET).splitlines() == [
        "WHAT        VALUE   REASON",
        "modality    table   rows",
        "column age  number  numbers",
        "warning: Something is odd.",
    ]


def test_long_texts_are_wrapped():
    dataset = replace(DATASET, findings=(Finding("classes", "word " * 20, "why"),), warnings=())
    lines = overview(dataset).splitlines()
    assert lines[1].split("  ")[0] == "classes"
    assert lines[1].endswith("why")
    assert " ".join(lines[1:]).count("word") == 20
    assert max(map(len, lines)) < 80


def test_many_columns_of_a_kind_share_a_line():
    columns = [Finding(f"column {i}", "number", f"{i} numbers") for i in range(20)]
    same = [Finding(f"column c{i}", "left out", "constant") for i in range(13)]
    few = Finding("column job", "category", "3 different texts")
    last = Finding("test part", "3 samples", "official")
    lines = overview(replace(DATASET, findings=(*columns, few, *same, last))).splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        *("20 columns", "column job", "13 columns", "test part"),
    ]
    assert lines[1].endswith("0 ... 19")
    assert lines[3].endswith("c0 ... c12: constant")
