"""Numbers with their nouns, and lists that are cut short."""

from relprop.data.words import counted, listed


def test_one_and_many():
    assert counted(1, "sample") == "1 sample"
    assert counted(1200, "sample") == "1,200 samples"
    assert counted(0, "class", "classes") == "0 classes"


def test_long_lists_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed(range(7)) == "0, 1, 2, 3, 4, and 2 more"
