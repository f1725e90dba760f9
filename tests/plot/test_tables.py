"""Named features, and one-hot columns as the one that they stand for."""

import numpy as np
import pytest
import torch

from relprop.errors import InputError
from relprop.plot.tables import Columns, Feature

NAMES = ["age", "job=cook", "job=clerk", "hours"]
X, R = torch.tensor([0.5, 0.0, 1.0, -2.0]), torch.tensor([1.0, 0.0, -3.0, 0.25])


def test_groups_add_up_and_say_which_column_is_on():
    columns = Columns.of((4,), NAMES, {"job": ["job=cook", 2]})
    assert columns.largest(X, R, 3) == [
        Feature("job", "clerk", -3.0),
        Feature("age", "0.5", 1.0),
        Feature("hours", "-2", 0.25),
    ]
    assert columns.summed(R[None])[0] == [0, "job", 3]
    two = columns.summed(torch.stack([R, 2 * R]))[1]
    assert two.tolist() == [[1.0, -3.0, 0.25], [2.0, -6.0, 0.5]]


def test_features_without_names_are_named_by_their_place():
    flat, square = Columns.of((4,), None, None), Columns.of((2, 2), None, None)
    assert [f.name for f in flat.largest(X, R, 4)] == ["2", "0", "3", "1"]
    features = square.largest(X.view(2, 2), R.view(2, 2), 4)
    assert [f.name for f in features] == ["(1, 0)", "(0, 0)", "(1, 1)", "(0, 1)"]


def test_the_largest_come_first_and_the_others_are_one():
    columns = Columns.of((4,), NAMES, None)
    assert [f.name for f in columns.largest(X, R, 2)] == ["job=clerk", "age", "2 others"]
    assert columns.largest(X, R, 2)[-1].relevance == 0.25
    assert columns.largest(X, R, 3)[-1].name == "job=cook"  # one more is no "1 others"


@pytest.mark.parametrize(
    ("names", "groups", "labels"),
    [
        (NAMES, {"job": np.array([1, 2])}, [0, "job", 3]),
        (NAMES, {"job": range(1, 3)}, [0, "job", 3]),
        (NAMES, {"age": ["age", "hours"]}, ["age", 1, 2]),
        (["3", "2", "1", "0"], {"g": [0, 1]}, ["g", 2, 3]),  # no name is a number
        ([3, 2, 1, 0], {"g": ["0", "3"]}, ["g", 1, 2]),
        ([0, 1, 2, 3], {"g": [0, 3]}, ["g", 1, 2]),
        (list("abab"), {"g": [0, 2]}, ["g", 1, 3]),
        (None, {"g": ["0", 3], "none": []}, ["g", 1, 2]),
    ],
)
def test_columns_are_grouped_by_name_or_position(names, groups, labels):
    assert Columns.of((4,), names, groups).summed(R[None])[0] == labels


@pytest.mark.parametrize(
    ("names", "groups", "given", "todo"),
    [
        (NAMES[:3], None, "3 feature_names for samples of shape (4,)", "give one name"),
        (NAMES, {"job": ["job=clark"]}, "groups with the column 'job=clark'", 'write "job=clerk"'),
        (NAMES, {"job": [7]}, "groups with the column 7", "name columns"),
        (NAMES, {"a": [1, 2], "b": [2]}, 'groups that hold "job=clerk" twice', "leave it out"),
        (
            *([3, 2, 1, 0], {"g": [0]}),
            "groups with the column 0, a position and the name of another column",
            'write "0" for the column of this name, "3" for the other',
        ),
        (
            *(list("abab"), {"g": ["a"]}),
            'groups with "a", the name of 2 columns',
            "write their positions: 0, 2",
        ),
        (list("abcd"), {"g": "ab"}, "the group \"g\" that is 'ab'", "write groups={\"g\": ['ab']}"),
        (NAMES, {"g": 1}, 'the group "g" that is 1', 'write groups={"g": [1]}'),
        (NAMES, {0: [1, 2]}, "a group that is named 0", 'write groups={"0": [...]}'),
        (NAMES, [[1, 2]], "groups of type list", 'write groups={"job":'),
        (NAMES, {"g": [True, False]}, "groups with the column True", "name columns"),
        (NAMES, {"g": [-1]}, "groups with the column -1", "name columns"),
        (NAMES, {"g": [[0]]}, "groups with the column [0]", "name columns"),
        (
            *(NAMES, {"age": [1, 2]}),
            'a group "age" beside a column of this name, which is in no group',
            'write "age (group)"',
        ),
        (
            *(None, {"0": [1, 2]}),
            'a group "0" beside a column of this name, which is in no group',
            'write "0 (group)"',
        ),
    ],
)
def test_names_that_do_not_fit_are_refused(names, groups, given, todo):
    with pytest.raises(InputError) as error:
        Columns.of((4,), names, groups)
    assert error.value.given == given
    assert error.value.todo.startswith(todo)
