"""Tables in files: formats, missing values, test parts, files that are larger than memory."""

import gzip
import json
import tracemalloc

import numpy as np
import pandas
import pyarrow
import pytest

from relprop.data.memory import Limit
from relprop.data.sources.tables import read_table_file
from relprop.errors import FileError

LIMIT = Limit(10**9, 0, True)
ROWS = "age,job,rich\n39,clerk,no\n50,?,yes\n,chief,no\n"


def read(path, content, test=None):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table_file(path, LIMIT, test)


def assert_rows(frame):
    assert list(frame.columns) == ["age", "job", "rich"]
    assert frame["age"].tolist()[:2] == [39, 50]
    assert frame["job"].tolist()[::2] == ["clerk", "chief"]
    assert frame.isna().to_numpy().tolist() == [
        [False] * 3,
        [False, True, False],
        [True, False, False],
    ]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_missing_values_of_a_csv_file(compress, tmp_path):
    name = "t.csv" if compress is bytes else "t.csv.gz"
    raw = read(tmp_path / name, compress(ROWS.encode()))
    assert_rows(raw.samples)
    assert (raw.keys, raw.named) == (["row 1", "row 2", "row 3"], True)
    assert raw.findings[0].value == "3 rows, 3 columns"


def test_parquet(tmp_path):
    frame = pandas.DataFrame(
        {"age": [39, 50, None], "job": ["clerk", None, "chief"], "rich": list("nyn")}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    assert_rows(read_table_file(tmp_path / "t.parquet", LIMIT).samples)


ARFF = """% a comment
@relation r
@attribute age numeric
@attribute job {clerk, 'chief', other}
@attribute rich {no, yes}
@data
39,clerk,no
50,?,yes
?,chief,no
"""


def test_arff(tmp_path):
    assert_rows(read(tmp_path / "t.arff", ARFF).samples)
    wrong = ARFF.replace("{clerk, 'chief', other}", "string")
    with pytest.raises(FileError, match=r"t\.arff cannot be read: String attributes not supported"):
        read(tmp_path / "t.arff", wrong)


def test_json_lines(tmp_path):
    rows = [{"age": 39, "job": "clerk", "rich": "no"}, {"age": 50, "job": None, "rich": "yes"}]
    rows.append({"job": "chief", "rich": "no"})
    assert_rows(read(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows))).samples)
    assert_rows(read(tmp_path / "t.json", json.dumps(rows)).samples)


def test_a_line_that_is_no_json_is_named(tmp_path):
    with pytest.raises(FileError, match=r"line 2 of .*t\.jsonl is no JSON object"):
        read(tmp_path / "t.jsonl", '{"a": 1}\n{"a": \n{"a": 2}\n')


def test_none_is_a_text_and_no_missing_value(tmp_path):
    frame = read(tmp_path / "t.csv", "debtors,n\nnone,1\nNone,2\nNA,3\n").samples
    assert frame["debtors"].tolist()[:2] == ["none", "None"]
    assert frame["debtors"].isna().tolist() == [False, False, True]


def test_codes_keep_their_zeros_and_decimal_commas_are_numbers(tmp_path):
    frame = read(tmp_path / "t.csv", "zip;size\n01234;1,5\n00400;2,25\n").samples
    assert frame["zip"].tolist() == ["01234", "00400"]
    assert frame["size"].tolist() == [1.5, 2.25]


def test_values_in_quotes_between_spaces(tmp_path):
    frame = read(tmp_path / "t.data", '18.0   8  ?\t"a b"\n15.5   9  7\t"c d e"\n').samples
    assert frame.iloc[0].tolist()[:2] == [18.0, 8]
    assert frame["column 4"].tolist() == ["a b", "c d e"]
    assert frame["column 3"].isna().tolist() == [True, False]


def test_a_table_without_names_takes_those_beside_it(tmp_path):
    (tmp_path / "t.names").write_text("age: continuous.\njob: a, b.\nrich: no, yes.\n")
    raw = read(tmp_path / "t.data", "39, clerk, no\n50, ?, yes\n?, chief, no\n")
    assert_rows(raw.samples)
    assert [f.value for f in raw.findings if f.what == "names of columns"] == ["t.names"]
    plain = read(tmp_path / "u.data", "39, clerk, no\n50, ?, yes\n")
    assert list(plain.samples.columns) == ["column 1", "column 2", "column 3"]
    assert not plain.named


def test_the_test_part_follows_with_columns_in_any_order(tmp_path):
    (tmp_path / "test.csv").write_text("rich,age,job\nyes,20,clerk\n")
    raw = read(tmp_path / "train.csv", ROWS, tmp_path / "test.csv")
    assert raw.samples.iloc[3].tolist() == [20, "clerk", "yes"]
    assert raw.official.tolist() == ["train"] * 3 + ["test"]
    assert raw.keys[3] == "test.csv row 1"


def test_a_test_part_with_other_columns_is_an_error(tmp_path):
    (tmp_path / "test.csv").write_text("age\n20\n21\n")
    with pytest.raises(FileError, match=r"single column"):
        read(tmp_path / "train.csv", ROWS, tmp_path / "test.csv")
    (tmp_path / "test.csv").write_text("age,wage\n20,5\n")
    with pytest.raises(FileError, match=r"has no column 'job', 'rich', which train\.csv has"):
        read(tmp_path / "train.csv", ROWS, tmp_path / "test.csv")


def test_the_column_that_the_test_part_alone_lacks_is_the_target(tmp_path):
    (tmp_path / "test.csv").write_text("age,rich\n20,no\n")
    raw = read(tmp_path / "train.csv", ROWS, tmp_path / "test.csv")
    assert raw.targets == ("job",)
    assert raw.samples["job"].isna().tolist() == [False, True, False, True]


def test_a_table_larger_than_memory_is_sampled_and_says_so(tmp_path):
    lines = ["n,twice,even"] + [f"{i},{2 * i},{'yes' if i % 2 else 'no'}" for i in range(120_000)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    whole = read_table_file(tmp_path / "t.csv", LIMIT)
    raw = read_table_file(tmp_path / "t.csv", Limit(3_000_000, 0, True))
    assert len(whole.samples) == 120_000
    assert whole.warnings == ()
    n = raw.samples["n"]
    assert (raw.samples["twice"] == 2 * n).all()
    assert n.is_monotonic_increasing
    assert len(n) == n.nunique()
    assert n.iloc[0] < 100
    assert n.iloc[-1] > 119_900
    assert f"{len(n):,} of them, chosen at random, are used" in raw.warnings[0]
    assert raw.keys[:3] == [f"row {i + 1}" for i in n[:3]]
    assert raw.samples.memory_usage(deep=True).sum() < 3_300_000


def write_table(path, frame):
    """Write a table in the format that the name says; "lines.json" has an object in each line."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=10_000)
    elif path.suffix == ".arff":
        kinds = "@attribute n numeric\n@attribute half numeric\n@attribute even {yes,no}"
        rows = frame.to_csv(index=False, header=False)
        path.write_text(f"@relation r\n{kinds}\n@data\n% a comment\n\n{rows}")
    else:
        lines = path.name != "whole.json"
        frame.to_json(path, orient="records", lines=lines)


LARGE = ["t.parquet", "t.arff", "t.jsonl", "lines.json"]


@pytest.mark.parametrize("name", LARGE)
def test_a_table_of_any_format_larger_than_memory_is_sampled_and_says_so(name, tmp_path):
    n = np.arange(60_000)
    frame = pandas.DataFrame({"n": n, "half": n / 2, "even": np.where(n % 2, "no", "yes")})
    write_table(tmp_path / name, frame)
    whole = read_table_file(tmp_path / name, LIMIT)
    assert (len(whole.samples), whole.warnings) == (60_000, ())
    assert whole.samples["half"].tolist() == frame["half"].tolist()
    raw = read_table_file(tmp_path / name, Limit(1_000_000, 0, True))
    rows = raw.samples["n"].astype(int).tolist()
    assert rows == sorted(set(rows))
    assert 10_000 < len(rows) < 40_000
    assert rows[-1] > 59_900
    pandas.testing.assert_frame_equal(raw.samples, whole.samples.iloc[rows].reset_index(drop=True))
    assert raw.keys == [f"row {i + 1}" for i in rows]
    assert whole.findings[0].value == "60,000 rows, 3 columns"
    assert raw.findings[0].value == f"60,000 rows, 3 columns; {len(rows):,} rows used"
    assert "holds 60,000 rows of about 2 MB, more than the 1 MB that samples may" in raw.warnings[0]
    assert f"{len(rows):,} of them, chosen at random, are used" in raw.warnings[0]


def peak_of(path, limit):
    """Read a table, and return the most bytes that Python and pyarrow held meanwhile."""
    before = pyarrow.default_memory_pool()
    pool = pyarrow.proxy_memory_pool(before)
    pyarrow.set_memory_pool(pool)
    tracemalloc.start()
    try:
        read_table_file(path, limit)
        return tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pyarrow.set_memory_pool(before)


@pytest.mark.parametrize("name", LARGE)
def test_no_more_of_a_large_table_is_held_than_fits(name, tmp_path):
    n = np.random.default_rng(0).normal(size=40_000)
    write_table(tmp_path / name, pandas.DataFrame({"n": n, "half": n / 2, "even": "yes"}))
    whole = peak_of(tmp_path / name, LIMIT)  # first: it imports what reads the format
    assert peak_of(tmp_path / name, Limit(120_000, 0, True)) < whole / 2


def test_a_json_value_larger_than_memory_is_to_be_written_in_lines(tmp_path):
    write_table(tmp_path / "whole.json", pandas.DataFrame({"n": range(9000), "even": "yes"}))
    with pytest.raises(FileError) as error:
        read_table_file(tmp_path / "whole.json", Limit(100_000, 0, True))
    assert "larger than 100,000 bytes of memory" in str(error.value)
    todo = str(error.value).split("write in Python: ")[1].splitlines()[0]
    exec(todo, {"pandas": pandas})
    raw = read_table_file(tmp_path / "whole.jsonl", Limit(100_000, 0, True))
    assert "9,000 rows" in raw.findings[0].value


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arff", "t.json"])
def test_a_damaged_table_is_an_error(name, tmp_path):
    with pytest.raises(FileError, match=name.replace(".", r"\.")):
        read(tmp_path / name, b"PAR1\0\0")


def test_a_table_of_one_column_is_an_error(tmp_path):
    with pytest.raises(
        FileError, match=r"t\.csv has a single column\n.*commas, tabs, semicolons.*\n.*put commas"
    ):
        read(tmp_path / "t.csv", "a\n1\n2\n")


def test_columns_of_the_test_part_alone_are_named(tmp_path):
    (tmp_path / "test.csv").write_text("more,b,a\n7,x,1\n")
    raw = read(tmp_path / "train.csv", "a,b\n1,x\n2,y\n", tmp_path / "test.csv")
    assert raw.samples.columns.tolist() == ["a", "b"]
    assert raw.warnings == ("test.csv has more columns, which are not used: more.",)


ROWS_OF_JSON = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS_OF_JSON, indent=1),
        json.dumps({"a": [1, 2], "b": ["x", "y"]}, indent=1),
        "\n".join(map(json.dumps, ROWS_OF_JSON)),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_of_rows_and_of_columns(content, mark, tmp_path):
    raw = read(tmp_path / "t.json", mark + content)
    assert raw.samples.to_dict("records") == ROWS_OF_JSON


def test_json_that_is_no_table_is_an_error(tmp_path):
    with pytest.raises(FileError, match=r"line 1 of .* is no JSON object"):
        read(tmp_path / "t.json", "3")


def test_what_scipy_does_not_read_of_arff_is_an_error_that_helps(tmp_path):
    head = "@relation r\n@attribute a string\n@attribute b {x, y}\n@data\n"
    with pytest.raises(FileError, match=r"(?s)String attributes.*to do:   save it as CSV$"):
        read(tmp_path / "t.arff", f"{head}'one',x\n")


@pytest.mark.parametrize("orient", ["columns", "index", "split", "records", "table"])
def test_json_as_pandas_writes_it(orient, tmp_path):
    frame = pandas.DataFrame({"a": [1.5, 2.5, 3.5], "b": ["x", "y", None]})
    frame.to_json(tmp_path / "t.json", orient=orient)
    made = read(tmp_path / "t.json", (tmp_path / "t.json").read_text()).samples
    assert made["a"].dtype == "float64"
    assert made["a"].tolist() == [1.5, 2.5, 3.5]
    assert made["b"].isna().tolist() == [False, False, True]
