"""Files are written completely or not at all."""

import pytest

from relprop.errors import FileError, InputError
from relprop.support.files import as_path, make_folder, write_atomically, write_file


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "numbers.json"
    write_file(path, b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["numbers.json"]


def interrupted(path, error):
    with write_atomically(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_while_writing_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "numbers.json"
    write_file(path, b"old")
    with pytest.raises(error):
        interrupted(path, error)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["numbers.json"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileError, match=r"cannot write .*numbers\.json: No such file"):
        write_file(tmp_path / "missing" / "numbers.json", b"")


def test_a_file_where_a_folder_should_be_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot create the folder .*file/below"):
        make_folder(tmp_path / "file" / "below")


def test_a_path_is_a_str_or_a_path(tmp_path):
    assert as_path(str(tmp_path)) == as_path(tmp_path) == tmp_path
    with pytest.raises(InputError, match="a path of type int"):
        as_path(3)
