"""Numbers written as texts: separators of thousands, currencies, per cent."""

import numpy as np
import pandas
import pytest

from relprop.data.columns import decide_column
from relprop.data.numbers import read_numbers, read_numbers_with
from relprop.data.options import DataOptions
from relprop.data.read import read_dataset

NAN = np.nan


@pytest.mark.parametrize(
    ("texts", "numbers", "sign"),
    [
        (["1,234.50", "999", "12,345,678"], [1234.5, 999, 12345678], ""),
        (["$1,234.50", "-$3", "$-4", "5 $", ".5"], [1234.5, -3, -4, 5, 0.5], "$"),
        (["12 %", "-3.5%", None], [12, -3.5, NAN], "%"),
        (["5", "6.5", "1e3"], [5, 6.5, 1000], None),
        (["12 %", "0.12"], [NAN, 0.12], None),  # of two scales
        (["12 %", "1,200"], [NAN, NAN], None),
        (["$3", "€4"], [NAN, NAN], None),
        (["1.234,50", "3", "1.234", "-0,5", "1e3"], [1234.5, 3, 1234, -0.5, 1000], ","),
        (["1.234,50 €", "2,5€", "€ -3"], [1234.5, 2.5, -3], ",€"),
        (["1 234,50", "12\u00a0345\u202f678", "7,25"], [1234.5, 12345678, 7.25], ","),
        (["1'234.50", "2\u2019000", "7.25"], [1234.5, 2000, 7.25], ""),
        (["(1,234.50)", "\u22127", "($3)", "8"], [-1234.5, -7, -3, 8], "$"),
        (["1,234", "7,654"], [1234, 7654], ""),  # with a comma before the fraction, too; unlikely
        (["1.234,50", "3.5"], [NAN, 3.5], None),  # which of the two is the fraction?
        (["12,34,567", "1 23", "(-3)"], [NAN] * 3, None),  # no groups of three
        (["-$-5", "$5 €", "$", "%", "inf", "x1,234"], [NAN] * 6, None),
    ],
)
def test_texts_as_numbers(texts, numbers, sign):
    made = read_numbers(pandas.Series(texts))
    np.testing.assert_array_equal(made.values, numbers)
    assert made.sign == sign
    assert bool(made.example) == (sign is not None)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["$1,234.50", "$7", "$8"], "numbers; '$1,234.50' is 1234.5"),
        (["1,234", "7", None], "numbers; '1,234' is 1234, 10 missing"),
        (["12 %", "7 %", "8 %"], "numbers; '12 %' is 12"),
        (["€3", "€4", "$5"], "3 different texts"),
    ],
)
def test_a_column_of_written_numbers_says_how_they_are_read(texts, reason):
    decided = decide_column(pandas.Series(texts * 10, name="price"))
    assert decided.reason == reason
    assert decided.kind == ("number" if reason.startswith("numbers") else "category")


def test_the_user_may_say_what_a_column_of_written_numbers_is():
    texts = pandas.Series(["$1,200", "$7", "soon"] * 10, name="price")
    number = decide_column(texts, "number")
    assert number.reason == "given; '$1,200' is 1200"
    assert number.sign == "$"
    assert number.values.dropna().unique().tolist() == [1200, 7]
    assert number.warning.startswith("Column 'price' has values that are no numbers (10)")
    assert decide_column(texts, "category").kind == "category"


def test_a_data_set_knows_what_its_numbers_are_written_with(tmp_path):
    rows = [f'"${1000 * i + i:,}",{i % 7}%,{i % 3}.5,"{i},{i:03d}.25"' for i in range(1, 60)]
    path = tmp_path / "prices.csv"
    path.write_text("\n".join(["cost,share,plain,price", *rows]) + "\n")
    dataset = read_dataset(path, DataOptions(target="price"))
    assert dataset.signs == {"cost": "$", "share": "%"}
    assert dataset.samples["cost"].tolist()[:2] == [1001, 2002]
    assert dataset.target.task == "value"
    assert dataset.target.values.tolist()[:2] == [1001.25, 2002.25]
    read = "'price' has labels that are read as numbers: '1,001.25' is 1001.25."
    assert dataset.warnings[0] == read


def test_a_comma_stands_before_the_fraction_in_rows_to_predict_as_well():
    assert read_numbers_with(pandas.Series(["1.234", "2,5", "7", 1.5]), ",").tolist() == [
        *(1234, 2.5, 7, 1.5)
    ]
    assert read_numbers_with(pandas.Series(["1.234", "€2,5"]), ",€").tolist() == [1234, 2.5]
    mixed = read_numbers_with(pandas.Series(["1.234", "2,5"]), "")
    assert mixed.isna().tolist() == [False, True]


def test_prices_of_europe_in_a_file(tmp_path):
    rows = [f"{i},5;{i}.{i:03d},{i:02d} €;{'uv'[i % 2]}" for i in range(1, 60)]
    (tmp_path / "prices.csv").write_text("\n".join(["a;price;kind", *rows]) + "\n")
    dataset = read_dataset(tmp_path / "prices.csv")
    assert dataset.signs == {"price": ",€"}
    assert dataset.samples["price"].tolist()[:2] == [1001.01, 2002.02]
    assert dataset.samples["a"].tolist()[:2] == [1.5, 2.5]
