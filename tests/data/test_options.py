"""What a user says about data: checked before any data is read."""

from pathlib import Path

import pytest

from relprop.data import DataOptions
from relprop.errors import InputError


def test_one_name_or_several():
    assert DataOptions(target="a").target_column == "a"
    assert DataOptions(target=("a",)).target_column == "a"
    assert DataOptions().target_column is None
    several = DataOptions(target=["a", "b"])
    assert (several.labels, several.target) == (("a", "b"), ())
    assert DataOptions(drop="x", test="t.csv").drop == ("x",)
    assert DataOptions(test="t.csv").test == Path("t.csv")


WRONG = {
    "a target and labels": (
        {"target": "a", "labels": ("b", "c")},
        "target 'a' and the labels b, c",
    ),
    "one label": ({"labels": ("b",)}, "single label 'b'\n.*\n.*--target b"),
    "group and time": ({"group": "g", "time": "t"}, "group column 'g' and the time column 't'"),
    "a modality": ({"modality": "pictures"}, "modality is 'pictures'\n.*\n.*write \"picture\""),
    "a kind": ({"kinds": {"a": "numeric"}}, "kind of column 'a' is 'numeric'\n.*number"),
    "a share": ({"split": (0.0, 0.2)}, r"split is \(0\.0, 0\.2\)"),
    "shares": ({"split": (0.2,)}, r"split is \(0\.2,\)"),
    "memory": ({"memory": 1000}, "memory is 1000 bytes"),
    "a seed": ({"seed": -1}, "seed is -1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_an_error(case):
    options, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        DataOptions(**options)
