"""The layout of a table: separator, names of columns, comments, codes, ragged rows."""

import csv
import gzip

import pytest

from relprop.data.sources.table_layout import find_layout, unique_names
from relprop.errors import FileError


def layout_of(tmp_path, text, name="table.csv"):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return find_layout(tmp_path / name)


SEPARATED = {
    "commas": ("a,b\n1,2\n3,4\n", ","),
    "semicolons in a .csv": ("a;b\n1,5;2,5\n3,5;4\n", ";"),
    "tabs": ("a\tb\n1\t2\n", "\t"),
    "bars": ("a|b\n1|2\n", "|"),
    "spaces": ("1.5  2 x\n3 4.5   y\n", " "),
    "columns of spaces, then a tab": ('18.0   8  x\t"a b"\n15.0   8  y\t"c d e"\n', " "),
    "tabs between texts": ("ham\tI am well\nspam\tbuy it now please\n", "\t"),
    "commas inside quotes": ('name;n\n"x, y, z";1\n"u, v, w";2\n', ";"),
}


@pytest.mark.parametrize("case", SEPARATED)
def test_the_separator_is_the_one_that_all_rows_have_alike(case, tmp_path):
    text, separator = SEPARATED[case]
    assert layout_of(tmp_path, text).separator == separator


HEADERS = {
    "names over numbers": ("age,job\n39,clerk\n50,chief\n", ("age", "job"), "has no numbers"),
    "a sample": ("39,clerk\n50,chief\n", None, "it has the value 39"),
    "a missing value first": ("?,clerk\nx,chief\n", None, "it has the value ?"),
    "texts that occur again": ("p,x\ne,x\np,y\n", None, "is in other rows"),
    "names over texts": ("kind,cap\np,x\ne,y\n", ("kind", "cap"), "no value of the first row"),
    "counted columns": ("0,1,2\n5,6,7\n8,9,10\n", ("0", "1", "2"), "counts the columns"),
    "counted pixels, and a label": (
        *("0,1,2,digit\n0,5,9,7\n8,0,3,7\n", ("0", "1", "2", "digit")),
        "counts the columns",
    ),
    "years after a name": (
        *("land,2019,2020,2021\nChile,1,2,3\nPeru,4,5,6\n", ("land", "2019", "2020", "2021")),
        "counts the columns",
    ),
    "a sample that counts": ("B,1,2,3\nA,1,1,1\nB,4,5,6\n", None, "it has the value 1"),
    "a sample of a missing value": ("?,1,2,3\nA,1,1,1\nB,4,5,6\n", None, "it has the value"),
    "an index without a name": (",a\n0,x\n1,y\n", ("unnamed 1", "a"), "has no numbers"),
    "a name twice": ("a,a\n1,2\n", ("a", "a (2)"), "has no numbers"),
    "a comment with the names": ("# x, y\n1,2\n3,4\n", ("x", "y"), "comment before the table"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_the_first_row_is_names_or_a_sample(case, tmp_path):
    text, names, reason = HEADERS[case]
    layout = layout_of(tmp_path, text)
    assert layout.header == names
    assert reason in layout.reason


def test_comments_and_empty_lines_before_the_table_are_skipped(tmp_path):
    layout = layout_of(tmp_path, "|1x3 Cross validator\n\n25, Private, <=50K.\n38, State, >50K.\n")
    assert (layout.skipped, layout.header, layout.width) == (2, None, 3)


def test_decimal_commas_and_codes_are_found(tmp_path):
    layout = layout_of(tmp_path, "zip;size\n01234;1,5\n00400;2,25\n")
    assert (layout.decimal, layout.codes) == (",", (0,))
    assert layout_of(tmp_path, "zip;size\n1234;1.5\n").decimal == "."
    assert layout_of(tmp_path, "zip;size\n1234;1.5\n1234;1,5\n").decimal == "."
    assert layout_of(tmp_path, "n,m\n0,1\n10,2\n").codes == ()


def test_other_letters_than_utf_8_are_latin_1(tmp_path):
    layout = layout_of(tmp_path, "Größe;n\nx;1\n".encode("latin-1"))
    assert (layout.encoding, layout.header) == ("latin-1", ("Größe", "n"))


RAGGED = {
    "a longer row": ("a,b\n1,2\n3,4,5\n", "line 3 .* has 3 values, the first row 2"),
    "a shorter row": ("a,b,c\n1,2,3\n\n4,5\n", "line 4 .* has 2 values, the first row 3"),
    "far behind": ("a,b\n" + "1,2\n" * 5000 + "3\n", "line 5002 .* has 1 value,"),
    "after a quoted line break": ('a,b\n"x\ny",2\n3\n', "line 4 .* has 1 value,"),
    "spaces": (
        "1 2 3\n4 5 6\n7 8\n",
        "line 3 .* has 2 values, the first row 3, separated by spaces",
    ),
}


@pytest.mark.parametrize("case", RAGGED)
def test_a_ragged_row_is_an_error_that_names_its_line(case, tmp_path):
    text, message = RAGGED[case]
    with pytest.raises(FileError, match=message):
        layout_of(tmp_path, text)


WRONG = {
    "empty": (b"", "holds no rows"),
    "comments alone": (b"# nothing\n\n", "holds no rows"),
    "zero bytes": (b"a,b\0\n1,2\n", "no text in UTF-8 or Latin-1"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "no text in UTF-8 or Latin-1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_table_of_text_is_an_error(case, tmp_path):
    content, message = WRONG[case]
    with pytest.raises(FileError, match=message):
        layout_of(tmp_path, content)


def test_a_damaged_gzip_is_an_error(tmp_path):
    with pytest.raises(FileError, match=r"is damaged"):
        layout_of(tmp_path, gzip.compress(b"a,b\n1,2\n")[:-9], "table.csv.gz")


def test_values_longer_than_the_limit_of_csv_are_read(tmp_path):
    rows = "".join(f'{i},"{"a word " * 20_000}",b\n' for i in range(3))
    (tmp_path / "a.csv").write_text(f"x,text,label\n{rows}")
    usual = csv.field_size_limit()
    assert find_layout(tmp_path / "a.csv").rows == 3
    assert csv.field_size_limit() == usual


def test_a_quote_that_does_not_end_is_found_where_it_begins(tmp_path):
    rows = "".join(f"{i},some words,b\n" for i in range(9000))
    (tmp_path / "a.csv").write_text(f'x,text,label\n0,word,a\n1,"open,b\n{rows}')
    with pytest.raises(FileError, match=r"the row in lines 3 to 9003(?s:.*)correct line 3: does a"):
        find_layout(tmp_path / "a.csv")


def test_line_ends_of_old_computers_are_an_error(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x,label\r1,a\r2,b\r")
    with pytest.raises(FileError, match=r"cannot be read as a table(?s:.*)line feeds"):
        find_layout(tmp_path / "a.csv")


def test_numbered_names_are_not_taken_by_others():
    assert unique_names(["a", "a (2)", "a", "a"]) == ("a", "a (2)", "a (3)", "a (4)")
