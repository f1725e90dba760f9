"""Dates written as texts: which number is the day, and how far they reach."""

import pandas
import pytest

from relprop.data.columns import decide_column
from relprop.data.dates import read_dates, share_of_dates, written_order
from relprop.errors import InputError

LATE = ["05/01/2020"] * 3000 + ["20/01/2020"]


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (LATE, "day"),  # only after the first rows
        (["01/20/2020", "05/01/2020"], "month"),
        (["2020-01-20", "2020-01-05"], ""),
    ],
)
def test_the_order_is_that_of_all_rows(texts, order):
    assert written_order(pandas.Series(texts)) == order


def test_a_column_is_read_in_one_order():
    decided = decide_column(pandas.Series(LATE, name="day"))
    assert decided.reason == "dates, day first"
    assert decided.day_first
    assert decided.values.iloc[[0, -1]].dt.strftime("%d %b").tolist() == ["05 Jan", "20 Jan"]
    given = decide_column(pandas.Series(LATE, name="day"), "date")
    assert given.day_first
    assert given.values.equals(decided.values)


@pytest.mark.parametrize("dtype", ["str", "datetime64[s]"])
def test_a_date_that_stands_for_never_is_kept(dtype):
    days = pandas.Series(["2020-01-31", "9999-12-31", None] * 10, name="end").astype(dtype)
    decided = decide_column(days)
    assert decided.kind == "date"
    assert decided.values.dt.year.iloc[:2].tolist() == [2020, 9999]
    assert int(decided.values.isna().sum()) == 10


def test_times_are_those_of_utc():
    made = read_dates(pandas.Series(["2024-05-01T02:00+02:00", "soon"]), day_first=False)
    assert made.iloc[0] == pandas.Timestamp("2024-05-01")
    assert made.isna().tolist() == [False, True]


def test_other_texts_are_no_dates():
    assert share_of_dates(pandas.Series(["2024-05-01", "1.5.2024", "3", "a-b"])) == 0.5


@pytest.mark.parametrize(
    "text",
    [
        *("31-Jan-2024", "31 January 2024", "Jan 31, 2024", "January 31st 2024"),
        *("Wed, 31 Jan 2024 10:20:30 GMT", "Wednesday, Jan. 31, 2024 10:20"),
    ],
)
def test_months_may_be_words(text):
    decided = decide_column(pandas.Series([text, text.replace("31", "30")] * 10, name="day"))
    assert (decided.kind, decided.reason) == ("date", "dates")
    assert decided.values.dt.strftime("%Y-%m-%d").tolist()[:2] == ["2024-01-31", "2024-01-30"]


@pytest.mark.parametrize("text", ["May is a month of 2024", "mars 31 2024", "31 cows 2024"])
def test_words_that_are_no_months_are_no_dates(text):
    assert share_of_dates(pandas.Series([text])) == 0


@pytest.mark.parametrize(
    ("number", "date"),
    [
        (20240131, "2024-01-31 00:00:00"),
        (1706696430, "2024-01-31 10:20:30"),
        (1706696430.0, "2024-01-31 10:20:30"),
        (1706696430000, "2024-01-31 10:20:30"),
        (20241331, None),  # no month
        (17, None),
        (True, None),
    ],
)
def test_numbers_are_dates_where_the_user_says_so(number, date):
    made = read_dates(pandas.Series([number]), day_first=False)
    shown = made.dt.strftime("%Y-%m-%d %H:%M:%S")
    assert shown.astype(object).where(shown.notna(), None).tolist() == [date]
    column = pandas.Series([number] * 3, name="day")
    if date is None:
        with pytest.raises(InputError, match="column 'day' as date: 3 of its 3 values are none"):
            decide_column(column, "date")
    else:
        assert decide_column(column, "date").values.tolist() == [*made] * 3
