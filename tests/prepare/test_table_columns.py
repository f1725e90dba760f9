"""Columns as arrays: what frames of other types become."""

import numpy as np
import pandas as pd
import pytest

from relprop.data.options import DataOptions
from relprop.data.read import read_dataset
from relprop.errors import InputError
from relprop.prepare.fit_tables import fit_table
from relprop.prepare.table_columns import MISSING_CATEGORY, date_column, number_column, text_column
from relprop.prepare.tables import TablePreparation


def column(values, dtype=None):
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype)})


@pytest.mark.parametrize(
    ("values", "dtype"),
    [(["1", "2.5", None], object), ([1, 2.5, None], None), ([1, 2.5, None], "Float64")],
)
def test_numbers_of_any_type(values, dtype):
    np.testing.assert_array_equal(number_column(column(values, dtype), "a"), [1, 2.5, np.nan])


def test_numbers_are_written_as_in_the_training_part():
    written = column(["$1,234.5", "1,234.5", "7", "$ 7"])
    np.testing.assert_array_equal(number_column(written, "a", "$"), [1234.5, 1234.5, 7, 7])
    with pytest.raises(InputError, match=r"'€3' in the column 'a'(?s:.*)numbers, also with \$"):
        number_column(column(["$1", "€3"]), "a", "$")
    with pytest.raises(InputError, match=r"'1,234.5' in the column 'a'"):
        number_column(written.iloc[1:], "a")


def test_an_infinite_number_is_missing_and_said():
    with pytest.warns(UserWarning, match=r"^Column 'a' has 2 infinite values: taken as missing\.$"):
        made = number_column(column([np.inf, "-inf", 3], object), "a")
    np.testing.assert_array_equal(made, [np.nan, np.nan, 3])


@pytest.mark.parametrize(
    ("values", "dtype", "want"),
    [
        (["x", None, "y"], "str", ["x", MISSING_CATEGORY, "y"]),
        (["x", None, "y"], "category", ["x", MISSING_CATEGORY, "y"]),
        ([3, None, 4], None, ["3", MISSING_CATEGORY, "4"]),  # floats since one is missing
        ([3, 4, 5], None, ["3", "4", "5"]),
        ([0.5, None, 4], None, ["0.5", MISSING_CATEGORY, "4"]),
        ([True, None, False], object, ["True", MISSING_CATEGORY, "False"]),
    ],
)
def test_categories_of_any_type_are_text(values, dtype, want):
    assert text_column(column(values, dtype), "a").tolist() == want


def test_dates_are_parts_and_missing_ones_are_missing():
    dates = column(["1970-01-02 06:00", None, "2024-12-29 00:00"])
    want = [[1970, 1, 4, 6, 1.25], [np.nan] * 5, [2024, 12, 6, 0, 20086]]
    np.testing.assert_array_equal(date_column(dates, "a"), want)
    stamps = dates.astype("datetime64[ns]")
    np.testing.assert_array_equal(date_column(stamps, "a"), want)


RAW = {
    "spaces": [" a", "b ", "a"] * 10,
    "bytes": [b"a", "é".encode(), b"c"] * 10,
    "durations": pd.to_timedelta([1, 5, 9] * 10, unit="h"),
    "months": pd.PeriodIndex(["2020-01", "2020-03", "2021-04"] * 10, freq="M"),
    "days": ["01/05/2020", "05/03/2020", "20/01/2020"] * 10,
    "numbers and texts": pd.Series([1.0, "x", 2.5] * 10, dtype=object),
    "mixed numbers": [0.5, 1.0, None] * 10,
    "thousands": ["1,234.50", "999", "12,345,678"] * 10,
    "dollars": ["$1,234.50", "-$3", "5 $"] * 10,
    "per cent": ["12 %", "0.5%", "99 %"] * 10,
    "nullable": pd.array([1, None, 2] * 10, dtype="Int64"),
    "true and false": pd.array([True, None, False] * 10, dtype="boolean"),
}


@pytest.mark.parametrize("kinds", [{}, {"a": "category"}])
@pytest.mark.parametrize("name", RAW)
def test_a_raw_row_alone_is_what_it_was_in_training(name, kinds):
    raw = pd.DataFrame({"a": RAW[name], "y": ["p", "q"] * 15})
    read = read_dataset(raw, DataOptions(kinds=kinds))
    settings = {"numbers": "standard", "bins": 0, "bins_by": "quantile"}
    fitted = fit_table(read, read.rows("train"), settings)
    fitted = TablePreparation.restore(*fitted.state())
    want = fitted.apply(read.samples)
    assert len(want.unique(dim=0)) > 1
    assert fitted.apply(raw).tolist() == want.tolist()
    for i in (0, 1, 2):
        assert fitted.apply(raw.iloc[[i]]).tolist() == want[[i]].tolist()
