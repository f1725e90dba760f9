"""Pictures are found by paths, names and stems; hidden ones, and what is far below, are not."""

import pytest

from relprop.data.sources.picture_index import PictureIndex, holds_pictures

FILES = ("a.png", "images/1.JPG", "images/b/2.png", "other/2.png", ".hidden/3.png", "notes.txt")


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.png", ["a.png"]),
        ("a", ["a.png"]),
        ("1.jpg", ["images/1.JPG"]),
        ("IMAGES\\1", ["images/1.JPG"]),
        ("./data/images/1.jpg", ["images/1.JPG"]),
        ("2.png", ["images/b/2.png", "other/2.png"]),
        ("b/2", ["images/b/2.png"]),
        ("3", []),
        ("notes", []),
        ("", []),
        ("/", []),
        ("x/1.png", []),
    ],
)
def test_names_as_tables_write_them(name, found, folder):
    assert [str(one.relative_to(folder)) for one in PictureIndex(folder).find(name)] == found


def test_a_whole_path_needs_no_listing(folder, tmp_path_factory):
    index = PictureIndex(tmp_path_factory.mktemp("empty"))
    assert index.find(str(folder / "a.png")) == [folder / "a.png"]
    assert index.find(str(folder / "b.png")) == []


def test_pictures_of_each_folder_are_counted(folder):
    counts = PictureIndex(folder).counts
    assert {str(k.relative_to(folder)): n for k, n in counts.items()} == {
        ".": 1,
        "images": 1,
        "images/b": 1,
        "other": 1,
    }


def test_a_folder_holds_pictures_that_are_two_folders_below_at_most(tmp_path):
    for place, holds in (("a/b/c", False), ("a/b", True)):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "1.png").touch()
        assert holds_pictures(tmp_path) == holds
    assert not holds_pictures(tmp_path / "none")
