"""Names of columns from .names files, as the UCI repository has them."""

import pytest

from relprop.data.sources.column_names import names_beside

CONTINUOUS = "| about\n\n>50K, <=50K.\n\nage: continuous.\nsex: Female, Male.\n"
ATTRIBUTES = (
    "7. Attributes\n\nAttribute 1:  (qualitative)\n\t  Status\n\nAttibute 2: (n)\n  Months\n"
)
NUMBERED = (
    "1. Title: notes\n\n2. Attributes:\n\n1. variance of image (continuous)\n2. class (int)\n"
)
WITH_ID = "# Domain\n1. Sample code number   id number\n2. Mitoses  1 - 10\n3. Class:  (2, 4)\n"

FILES = {
    "names with values, the class apart": (CONTINUOUS, 3, ("age", "sex", "class")),
    "headings, one misspelt": (ATTRIBUTES, 3, ("Status", "Months", "class")),
    "a numbered list": (NUMBERED, 2, ("variance of image", "class")),
    "a list with an identifier that the table lacks": (WITH_ID, 2, ("Mitoses", "Class")),
    "the same list for a table with it": (WITH_ID, 3, ("Sample code number", "Mitoses", "Class")),
}


@pytest.mark.parametrize("case", FILES)
def test_names_are_taken_from_the_list_that_fits(case, tmp_path):
    text, width, names = FILES[case]
    (tmp_path / "set.names").write_text(text)
    assert names_beside(tmp_path / "set.csv", width) == (names, "set.names")


def test_the_training_part_has_the_names_of_the_whole(tmp_path):
    (tmp_path / "adult.names").write_text(CONTINUOUS)
    found = names_beside(tmp_path / "adult-train.csv.gz", 3)
    assert found == (("age", "sex", "class"), "adult.names")


def test_a_list_of_another_length_is_not_used(tmp_path):
    (tmp_path / "set.names").write_text(CONTINUOUS)
    assert names_beside(tmp_path / "set.csv", 7) is None
    assert names_beside(tmp_path / "other.csv", 3) is None
