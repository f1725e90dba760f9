"""Files are written completely or not at all."""

import os
import stat
from pathlib import Path

import pytest

from relprop.errors import FileError, InputError
from relprop.support.files import (
    as_path,
    make_folder,
    refuse_other_formats,
    try_folder,
    write_atomically,
    write_file,
)


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
    with pytest.raises(InputError, match="no zero byte"):
        as_path("a\0b")


# ---- links, and what is no regular file ----------------------------------------------------------


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    """Through one link, through two, and through one whose file is still missing."""
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "numbers.json"
    target.write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "relative").symlink_to("link")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere" / "later.json")
    for name, file in (("link", target), ("relative", target), ("dangling", "later.json")):
        write_file(tmp_path / name, name.encode())
        assert (tmp_path / "elsewhere" / file).read_bytes() == name.encode()
        assert (tmp_path / name).is_symlink()
    assert len(list((tmp_path / "elsewhere").iterdir())) == 2


def test_only_regular_files_are_written(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to null").symlink_to(os.devnull)
    kinds = {
        tmp_path / "folder": "a folder",
        tmp_path / "pipe": "a device or a pipe",
        Path(os.devnull): "a device or a pipe",
        tmp_path / "to null": "a device or a pipe",
        tmp_path / "loop": "a link that leads to itself",
    }
    before = set(tmp_path.iterdir())
    for path, kind in kinds.items():
        with pytest.raises(FileError, match=f"cannot write {path}: it is {kind}"):
            write_file(path, b"")
    assert set(tmp_path.iterdir()) == before
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.fixture
def umask():
    """A function that sets the umask for the test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask, mask):
    umask(mask)
    write_file(tmp_path / "ours", b"")
    (tmp_path / "usual").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "usual")]
    assert modes == [0o666 & ~mask] * 2


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "private"
    path.write_bytes(b"old")
    path.chmod(mode)
    with write_atomically(path) as file:
        file.write(b"new")
        (temporary,) = tmp_path.glob(".private.*")
        assert not stat.S_IMODE(temporary.stat().st_mode) & ~mode  # nobody else reads it meanwhile
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_content_is_on_the_disk_before_it_gets_the_name(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        fsync(handle)
        calls.append(os.fstat(handle).st_size)

    def moved(source, target):
        calls.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", moved)
    write_file(tmp_path / "numbers.json", b"12345")
    assert calls == [5, "replace"]


def test_a_name_of_the_greatest_length_is_written(tmp_path):
    for name in ("n" * 255, "ö" * 127):
        write_file(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"


# ---- folders and suffixes ------------------------------------------------------------------------


def test_a_folder_is_tried_and_left_as_it_was(tmp_path):
    try_folder(tmp_path / "new" / "below")
    try_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere/at/all")
    for impossible in ("file", "file/below", "n" * 300, "new/" + "n" * 300, "dangling"):
        with pytest.raises(FileError, match="cannot create the folder") as error:
            try_folder(tmp_path / impossible)
        assert error.value.todo == "choose another path"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "dangling"}


@pytest.mark.parametrize("name", ["out.png", "folder/out.csv", "v1/out.npz.h5"])
def test_a_suffix_of_another_format_is_refused_with_the_line_to_write(name):
    with pytest.raises(InputError, match="that of another format") as error:
        refuse_other_formats(Path(name), (".npz",), "explanation.save")
    better = f"{name.rpartition('.')[0]}.npz"
    assert error.value.todo == f'write explanation.save("{better}")'
    refuse_other_formats(Path(better), (".npz",), "explanation.save")


@pytest.mark.parametrize("name", ["out.npz", "out", "run-0.5", ".hidden"])
def test_a_name_of_no_other_format_is_allowed(name):
    refuse_other_formats(Path(name), (".npz", ".zip"), "explanation.save")
