"""Labels that are numbers among texts, and labels that are lists."""

import numpy as np
import pandas
import pytest

from relprop.data.labels import numbers_of_texts, refuse_lists
from relprop.data.options import DataOptions
from relprop.data.read import read_dataset
from relprop.errors import InputError

PRICES = [*(f"{i}.5" for i in range(39)), "unknown"]
GRADES = [*(["1", "2"] * 19), "unknown", "unknown"]


@pytest.mark.parametrize(
    ("labels", "kind", "numbers"),
    [
        (PRICES, None, 39),
        (PRICES, "category", None),
        (GRADES, None, None),  # "unknown" may be a class
        (GRADES, "number", 38),
        (["a", "b", "1"], "number", None),
    ],
)
def test_a_few_texts_among_numbers_are_no_labels(labels, kind, numbers):
    column = pandas.Series(labels)
    made, notes = numbers_of_texts("price", column, kind)
    if numbers is None:
        assert made is column
        assert notes == []
    else:
        assert made.notna().sum() == numbers
        wrong = f"({len(labels) - numbers}, such as 'unknown')"
        assert notes == [f"'price' has labels that are no numbers {wrong}."]


@pytest.mark.parametrize("kinds", [{}, {"price": "number"}])
def test_a_target_with_a_text_is_a_value_and_says_what_is_left_out(kinds):
    frame = pandas.DataFrame({"x": np.arange(40) % 7, "price": PRICES})
    dataset = read_dataset(frame, DataOptions(kinds=kinds))
    assert dataset.target.task == "value"
    assert sorted(dataset.target.values) == [i + 0.5 for i in range(39)]
    assert dataset.warnings[:2] == (
        "'price' has labels that are no numbers (1, such as 'unknown').",
        "1 of 40 samples have no label in 'price': they are left out.",
    )


def test_lists_are_no_classes():
    frame = pandas.DataFrame({"x": np.arange(20) % 7, "tags": [["a"], ["a", "b"]] * 10})
    with pytest.raises(InputError, match=r"'tags' has a list in each row(?s:.*)--labels NAME,NAME"):
        read_dataset(frame)
    refuse_lists("tags", pandas.Series([None, "a"]))


def test_an_empty_text_is_no_class():
    frame = pandas.DataFrame({"x": np.arange(40) % 7, "y": ["a", "b", "", " "] * 10})
    dataset = read_dataset(frame)
    assert dataset.target.names == ("a", "b")
    assert dataset.warnings[0] == "20 of 40 samples have no label in 'y': they are left out."
