"""The target: which column, classes or a value, missing labels, several labels."""

import numpy as np
import pandas
import pytest

from relprop.data.target import check_column, choose_column, make_labels, make_target
from relprop.errors import InputError


def series(values):
    return pandas.Series(values, name="y")


CHOICES = {
    "given": (["a", "b", "c"], "b", True, "b", "given"),
    "a known name": (["Class", "b", "c"], None, True, "Class", "its name"),
    "the better known name": (["label", "target", "c"], None, True, "target", "its name"),
    "the last": (["a", "b", "c"], None, True, "c", "the last column"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_column_is_given_known_or_the_last(case):
    names, given, named, expected, reason = CHOICES[case]
    frame = pandas.DataFrame([[1, 2, 3]] * 5, columns=names)
    assert choose_column(frame, given, (), named) == (expected, reason)


def test_without_names_the_first_column_may_be_the_class():
    frame = pandas.DataFrame(
        {"1": [1, 2, 3] * 20, "2": np.linspace(0, 1, 60), "3": np.arange(60) * 7}
    )
    assert choose_column(frame, None, (), False)[0] == "1"
    assert choose_column(frame, None, (), True)[0] == "3"
    assert choose_column(frame.assign(**{"3": frame["1"]}), None, (), False)[0] == "3"


@pytest.mark.parametrize("others", [("0", "1", "2"), ("pixel1", "pixel2", "pixel3")])
def test_the_only_name_that_is_not_numbered_is_chosen_if_it_may_be_classes(others):
    frame = pandas.DataFrame({"digit": [7, 8] * 30} | {name: np.arange(60) for name in others})
    reason = "the only name that is not numbered as the others"
    assert choose_column(frame, None, (), True) == ("digit", reason)
    assert choose_column(frame.assign(digit=np.arange(60)), None, (), True)[0] == others[-1]
    assert choose_column(frame.assign(size=1.5), None, (), True)[0] == "size"


def test_a_column_of_groups_is_not_chosen():
    frame = pandas.DataFrame({"a": [1], "b": [2], "g": [3]})
    assert choose_column(frame, None, ("g",), True)[0] == "b"
    with pytest.raises(InputError, match=r"no column is left that could be the target\n.*a, b, g"):
        choose_column(frame, None, ("a", "b", "g"), True)


def test_a_column_that_is_not_there_offers_the_nearest():
    with pytest.raises(InputError, match=r"no column 'incom'\n.*age, my income\n.*choose one"):
        check_column("incom", ["age", "my income"], "target")
    with pytest.raises(InputError, match=r"write --target 'my income'"):
        check_column("My_Incom", ["age", "my income"], "target")


CLASSES = {
    "texts": (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
    "texts of numbers by size": (["10", "9", "10"], ("9", "10"), [1, 0, 1]),
    "whole numbers": ([4, 2, 4, 4, 2] * 2, ("2", "4"), [1, 0, 1, 1, 0] * 2),
    "whole floats": ([1.0, 0.0, 1.0], ("0", "1"), [1, 0, 1]),
    "true and false": ([True, False, True], ("False", "True"), [1, 0, 1]),
}


@pytest.mark.parametrize("case", CLASSES)
def test_classes_are_numbered_in_the_order_of_their_names(case):
    values, names, numbers = CLASSES[case]
    target = make_target("y", series(values), None).target
    assert (target.task, target.names, target.values.tolist()) == ("classes", names, numbers)
    assert target.values.dtype == np.int64


TASKS = {
    "fractions": (np.linspace(0, 1, 50), None, "value"),
    "21 whole numbers": (np.arange(210) % 21, None, "value"),
    "20 whole numbers": (np.arange(200) % 20, None, "classes"),
    "few of each": (np.arange(12) % 6, None, "value"),
    "fractions as classes": ([0.5, 1.5] * 10, "category", "classes"),
    "whole numbers as a value": ([1, 2] * 10, "number", "value"),
}


@pytest.mark.parametrize("case", TASKS)
def test_classes_or_a_value(case):
    values, kind, task = TASKS[case]
    found = make_target("y", series(values), kind)
    assert found.target.task == task
    if task == "value":
        assert found.target.names == ("y",)
        np.testing.assert_array_equal(found.target.values, np.asarray(values, float))
    if kind:
        assert found.findings[0].reason == "given"


def test_the_first_classes_are_shown_with_their_samples():
    few, many = (make_target("y", series(np.arange(60) % k), None, (), True) for k in (12, 15))
    assert few.findings[1].value.endswith("10 5, 11 5")
    assert many.findings[1].value.endswith("10 4, 11 4, 3 more")


def test_whole_numbers_of_pictures_are_classes_however_many():
    values = np.arange(200) % 100
    assert make_target("y", series(values), None, (), True).target.names[10] == "10"


def test_names_of_the_source_are_kept_in_their_order():
    found = make_target("y", series([1, 0, 1, 0]), None, ("zebra", "ant", "bee"))
    assert (found.target.names, found.target.values.tolist()) == (
        ("zebra", "ant", "bee"),
        [1, 0, 1, 0],
    )
    assert found.warnings == ("Classes without a sample: bee.",)
    with pytest.raises(InputError, match=r"class numbers from 0 to 3\n.*0 to 1"):
        make_target("y", series([3, 0]), None, ("a", "b"))


MISSING = [["a", None, "b", "a", "b"], [0.5, np.nan, 1, 2, 3], [0.5, np.inf, 1, 2, 3]]


@pytest.mark.parametrize("values", MISSING)
def test_samples_without_a_label_are_left_out_and_counted(values):
    found = make_target("y", series(values), None)
    assert found.present.tolist() == [True, False, True, True, True]
    assert len(found.target.values) == 4
    assert found.warnings[0].startswith("1 of 5 samples have no label in 'y': they are left out.")


def test_rare_and_uneven_classes_are_warned_of():
    found = make_target("y", series(["a"] * 60 + ["b"] * 2 + ["c"]), None)
    assert found.warnings == (
        "Classes with one sample alone, which is trained on: c.",
        "Classes differ much in size: from 1 to 60.",
    )


WRONG = {
    "one class": (["a", "a"], None, "one class alone: 'a'"),
    "single samples": (list("abcde"), None, "has 5 classes, 5 of one sample"),
    "most classes of one sample": (
        ["a"] * 60 + [f"c{i}" for i in range(21)],
        None,
        "has 22 classes, 21 of one sample",
    ),
    "no label": ([None, None], None, "no sample has a label: 'y' is missing everywhere"),
    "one value": ([2.5, 2.5], None, "has the value 2.5 alone"),
    "texts as a value": (["1", "b"], "number", "as a number has the value 'b'\n.*\n.*y=category"),
}


@pytest.mark.parametrize("case", WRONG)
def test_labels_that_cannot_be_learnt_are_errors(case):
    values, kind, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        make_target("y", series(values), kind)


def test_several_labels():
    frame = pandas.DataFrame(
        {"a": [1, 0, 1, 0], "b": ["yes", "no", None, "No"], "c": [True, True, False, True]}
    )
    found = make_labels(frame, ("a", "b", "c"))
    assert (found.target.task, found.target.names) == ("labels", ("a", "b", "c"))
    assert found.target.values.tolist() == [[1, 1, 1], [0, 0, 1], [0, 0, 1]]
    assert found.target.values.dtype == np.float32
    assert found.present.tolist() == [True, True, False, True]
    assert "1 of 4 samples have no label" in found.warnings[0]
    with pytest.raises(InputError, match=r"the label 'a' has the value '2'"):
        make_labels(pandas.DataFrame({"a": [1, 2], "b": [0, 1]}), ("a", "b"))


def test_a_number_in_a_name_is_read():
    frame = pandas.DataFrame({"y1": [1.0], "y2": [2.0], "Species ": ["a"]})
    assert choose_column(frame, None, (), True) == ("Species ", "its name")


def test_what_to_do_fits_what_the_labels_are():
    many = series([*range(60), *range(3)])
    with pytest.raises(InputError, match=r"write --column y=number, or choose another --target"):
        make_target("y", many, "category")
    with pytest.raises(InputError, match=r"one class alone(?s:.*)add a class$"):
        make_target("label", series(["a", "a"]), None, (), True, "add a class")
