"""What columns of a table are: kinds, what is left out, and why."""

import numpy as np
import pandas
import pytest

from relprop.data.columns import about_column, category_texts, decide_columns, keep_columns
from relprop.errors import InputError

N = 40
WORDS = ["the film is a long and slow one", "it is so good that I saw it twice"]
COLUMNS = {
    "floats": (np.linspace(0, 1, N), "number", "40 different numbers"),
    "integers": (np.arange(N) % 7, "number", "7 different whole numbers"),
    "missing": ([1.0, np.nan, 2.0, 3.0] * 10, "number", "3 different whole numbers, 10 missing"),
    "zip": ([f"{i % 9:05d}" for i in range(N)], "category", "codes that begin with 0"),
    "durations": (pandas.to_timedelta(np.arange(N) % 3, unit="h"), "number", "3 different whole"),
    "nullable": (
        pandas.array([True, None, False, None] * 10, dtype="boolean"),
        "category",
        "true or false, 20 miss",
    ),
    "number texts": ([f" {i}.5 " for i in range(N)], "number", "numbers"),
    "texts": (["a", "b", " b"] * 13 + ["a"], "category", "2 different texts"),
    "true and false": ([True, False] * 20, "category", "true or false"),
    "days": ([f"2024-01-{i % 28 + 1:02d}" for i in range(N)], "date", "dates"),
    "times": (
        pandas.date_range("2024-01-01", periods=N, freq="h", tz="Asia/Tokyo"),
        "date",
        "dates",
    ),
    "constant": ([5] * N, "left out", "constant"),
    "empty": ([np.nan] * N, "left out", "all its values are missing"),
    "row": (np.arange(1, N + 1), "left out", "an identifier: a different whole number in each row"),
    "user_id": (
        np.arange(N) * 17,
        "left out",
        "an identifier: a different whole number in each row",
    ),
    "name": ([f"person {i}" for i in range(N)], "left out", "an identifier: a different text"),
    "review": ([f"{WORDS[i % 2]} {i}" for i in range(N)], "left out", "free text, 10 words"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_decided_by_its_values(name):
    values, kind, reason = COLUMNS[name]
    frame = pandas.DataFrame({name: values, "other": np.arange(N) % 3})
    kept, kinds, findings, _ = keep_columns(decide_columns(frame, {}), {})
    (finding,) = [one for one in findings if one.what == f"column {name}"]
    assert finding.value == kind
    assert finding.reason.startswith(reason)
    assert kinds.get(name) == (None if kind == "left out" else kind)
    assert (name in kept.columns) == (kind != "left out")


def test_values_have_the_form_of_a_table():
    frame = pandas.DataFrame({name: values for name, (values, _, _) in COLUMNS.items()})
    kept, kinds, _, _ = keep_columns(decide_columns(frame, {}), {})
    types = {"number": "float64", "category": "str", "date": "datetime64[us]"}
    assert {n: str(kept[n].dtype) for n in kept} == {n: types[kind] for n, kind in kinds.items()}
    assert kept["number texts"].tolist()[:2] == [0.5, 1.5]
    assert set(kept["texts"]) == {"a", "b"}
    assert kept["times"].iloc[0] == pandas.Timestamp("2023-12-31 15:00")
    assert kept["missing"].isna().sum() == 10
    assert kept["nullable"].tolist()[::2] == ["True", "False"] * 10
    assert kept["durations"].tolist()[:3] == [0, 3600, 7200]


def test_what_was_left_out_or_changed_is_warned_of():
    frame = pandas.DataFrame(
        {
            "constant": [5] * N,
            "empty": [None] * N,
            "copy": np.arange(N) % 3,
            "original": np.arange(N) % 3,
            "infinite": [np.inf, 1, 2, 3] * 10,
            "mostly": [str(i) for i in range(N - 1)] + ["unknown"],
            "when": ["2024-01-02", "2024-03-04"] * (N // 2 - 1) + ["2024-05-06", "soon"],
            "many": [f"{i // 2}x" for i in range(N)],
        }
    )
    *_, warnings = keep_columns(decide_columns(frame, {}), {})
    assert warnings == (
        "Column 'constant' has the value 5 in every row: left out.",
        "Column 'empty' is empty: left out.",
        "Column 'original' is equal to 'copy': left out.",
        "Column 'infinite' has 10 infinite values: taken as missing.",
        "Column 'mostly' has values that are no numbers (1, such as 'unknown'): taken as missing.",
        "Column 'when' has values that are no dates (1): taken as missing.",
    )


def test_a_hundred_thousand_categories_are_kept_and_warned_of():
    texts = [f"shop {i // 2}" for i in range(200_000)]
    kept, kinds, _, warnings = keep_columns(
        decide_columns(pandas.DataFrame({"shop": texts}), {}), {}
    )
    assert (kinds, kept["shop"].nunique()) == ({"shop": "category"}, 100_000)
    assert warnings == ("Column 'shop' has 100,000 categories; many of them are rare.",)


@pytest.mark.parametrize(
    ("first", "day", "order"), [("13/02/2024", 13, "day first"), ("02/13/2024", 13, "month first")]
)
def test_the_order_of_day_and_month_is_inferred(first, day, order):
    frame = pandas.DataFrame({"d": [first] + ["03/04/2024"] * 9})
    kept, _, findings, _ = keep_columns(decide_columns(frame, {}), {})
    assert kept["d"].iloc[0].day == day
    assert kept["d"].iloc[1].day == (3 if order == "day first" else 4)
    assert order in findings[0].reason


def test_the_user_says_what_a_column_is():
    frame = pandas.DataFrame(
        {"code": [1, 2, 3, 4], "when": [1.0, 2.0, np.nan, 4.0], "x": list("12a4")}
    )
    kinds = {"code": "category", "when": "category", "x": "number"}
    kept, found, findings, warnings = keep_columns(decide_columns(frame, kinds), kinds)
    assert kept["code"].tolist() == ["1", "2", "3", "4"]
    assert kept["when"].tolist()[:2] == ["1", "2"]
    assert kept["when"].isna().tolist() == [False, False, True, False]
    assert kept["x"].tolist()[:2] == [1.0, 2.0]
    assert found == kinds
    assert {one.reason for one in findings} == {"given"}
    assert warnings == ("Column 'x' has values that are no numbers (1): taken as missing.",)


WRONG = {
    "a number of texts": (
        ["a", "b", "1", "c"],
        {"x": "number"},
        "column 'x' as number: 3 of its 4",
    ),
    "a date of texts": (["a", "b", "c", "d"], {"x": "date"}, "column 'x' as date: 4 of its 4"),
    "lists": ([[1], [2], [3], [4]], {}, "column 'x' has a list in each row\n.*\n.*--drop x"),
    "a target alone": (None, {}, "there is none beside the target\n.*\n.*add columns"),
    "nothing left": ([1, 1, 1, 1], {}, "no column to learn from: x: constant\n.*\n.*x=category"),
}


@pytest.mark.parametrize("case", WRONG)
def test_columns_that_cannot_be_are_errors(case):
    values, kinds, message = WRONG[case]
    frame = pandas.DataFrame() if values is None else pandas.DataFrame({"x": values})
    with pytest.raises(InputError, match=message):
        keep_columns(decide_columns(frame, kinds), kinds)


def test_categories_and_names_as_text():
    assert category_texts(pandas.Series([1.0, 2.5])).tolist() == ["1", "2.5"]
    assert (about_column("age"), about_column("column 3")) == ("column age", "column 3")


def test_texts_of_a_word_alone_are_offered_as_texts():
    frame = pandas.DataFrame({"name": [f"Smith{i}" for i in range(N)]})
    with pytest.raises(InputError, match=r"write --modality text, or choose another --target$"):
        keep_columns(decide_columns(frame, {}), {})


@pytest.mark.parametrize("values", [np.arange(80) // 2 * 7, [f"p{i // 2}" for i in range(80)]])
def test_an_identifier_with_several_rows_is_warned_of(values):
    frame = pandas.DataFrame({"patient_id": values, "age": np.arange(80) // 2 * 7})
    decided = decide_columns(frame, {})
    assert decided["age"].warning == ""
    assert decided["patient_id"].warning == (
        "Column 'patient_id' is named as an identifier, whose values repeat: "
        "write --group patient_id or --drop patient_id?"
    )
