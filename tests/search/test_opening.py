"""The folder of a fit: new, one that goes on, or none that it may take."""

import json

import pytest

from relprop.errors import FileError, InputError
from relprop.search.opening import check_fit_folder, memory_of_search, open_search

SEARCH = {"data": "d", "split": "s", "order": "o", "space": {"mlp": {}}, "encoder": "", "seed": 0}


def test_a_new_folder_and_that_of_the_same_search_are_taken(tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        check_fit_folder(out)
        assert open_search(out, SEARCH, 10**9) == out / "search"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"data": "e"}, "other data, or data that was read with other options"),
        ({"split": "t"}, "the same data in other parts"),
        ({"order": "p"}, "the same data in another order"),
        ({"space": {"cnn": {}}}, "another search space"),
        ({"encoder": "bert"}, "another encoder"),
        ({"seed": 1}, "another seed"),
    ],
)
def test_another_search_is_refused_and_left_as_it_is(tmp_path, changes, what):
    open_search(tmp_path, SEARCH, 10**9)
    with pytest.raises(InputError, match="holds a search on") as error:
        open_search(tmp_path, {**SEARCH, **changes}, 10**9)
    assert error.value.given.endswith(f"holds a search on {what}")
    assert error.value.todo == "give another folder with --out"
    open_search(tmp_path, SEARCH, 10**9)


def test_a_search_of_another_version_is_refused(tmp_path):
    path = open_search(tmp_path, SEARCH, 10**9) / "search.json"
    path.write_text(json.dumps({"schema": "relprop-search-0"}))
    with pytest.raises(InputError, match="a search on another version of relprop"):
        open_search(tmp_path, SEARCH, 10**9)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "relprop-search-2"}'])
def test_a_record_that_is_damaged_is_named(tmp_path, text):
    path = open_search(tmp_path, SEARCH, 10**9) / "search.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"search\.json is damaged") as error:
        open_search(tmp_path, SEARCH, 10**9)
    assert error.value.todo == f"remove {path.parent}, or give another folder with --out"


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="files that no fit wrote"):
        check_fit_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_search_that_goes_on_reads_as_many_samples_as_before(tmp_path):
    assert memory_of_search(tmp_path) is None
    open_search(tmp_path, SEARCH, 10**9)
    open_search(tmp_path, SEARCH, 10**8)
    assert memory_of_search(tmp_path) == 10**9
