"""Quotes in tables: of values, or letters of texts that must not swallow the rows behind them."""

import pytest

from relprop.data.read import read_dataset
from relprop.data.sources.table_layout import find_layout

TEXTS = [f"{('ham', 'spam')[i % 2]}\tfree text {i} of{' many' * (i % 5)} words" for i in range(40)]


@pytest.mark.parametrize("end", ["", 'closed" later', '"again'])
def test_a_quote_that_begins_a_text_swallows_no_rows(end, tmp_path):
    lines = [*TEXTS]
    lines[3] = 'spam\t"Hello there, he said and more'
    lines[7] = f"spam\t{end} with some more words"
    (tmp_path / "SMSSpam").write_text("\n".join(lines) + "\n")
    dataset = read_dataset(tmp_path / "SMSSpam")
    assert len(dataset.samples) == 40
    assert dataset.samples[3] == '"Hello there, he said and more'
    table = next(one for one in dataset.findings if one.what == "table")
    assert table.reason == "tabs between values; quotes are letters, as each line is a row"


@pytest.mark.parametrize(
    ("text", "rows", "quoted"),
    [
        ('a,b\n1,"x"\n2,"y, z"\n', 2, True),
        ('a,b\n1,"x\ny, z"\n2,w\n3,w\n', 3, True),  # each line has a comma
        ('a,b\n1,"x" of "y\n2,w\n3,w\n', 3, True),
        ('a,b\n1,"x\n2,w\n3,w\n', 3, False),
        ('a,b\n1,"x\n2,w "and w\n3,w\n', 3, False),
        ('a,b\n1,"5" pipe"\n2,"w"\n3,"w"\n', 3, True),  # no row is longer than its line
        ('a\tb\n1\t"x\n2\ty"\n3\tw\n', 3, False),
        ('a\tb\n1\t"x\ny"\n2\tw\n', 2, True),
    ],
)
def test_rows_are_lines_where_quotes_do_not_enclose_values(text, rows, quoted, tmp_path):
    (tmp_path / "t.csv").write_text(text)
    layout = find_layout(tmp_path / "t.csv")
    assert (layout.rows, layout.quoted) == (rows, quoted)
