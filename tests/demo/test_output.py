"""The folder of a demo: its files, and that other files are left alone."""

from pathlib import Path

import pytest

from relprop.demo.output import FIGURES, PAGES, check_out, render_files, write_folder
from relprop.demo.page import NUMBERS, PAGE
from relprop.errors import FileError
from relprop.support import folders


def test_the_same_numbers_give_the_same_files(demo, files):
    assert render_files(demo) == files
    assert set(files) == {*PAGES, NUMBERS, *FIGURES}


def earlier_demo(folder):
    folder.mkdir()
    (folder / NUMBERS).write_text('{"schema": "relprop-demo/1"}')
    (folder / PAGE).write_text("old")
    return folder


def everything(folder):
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_go_to_a_new_folder(tmp_path):
    write_folder(tmp_path / "a" / "b", {PAGE: b"new"})
    assert everything(tmp_path) == {PAGE: "new"}


def test_what_an_earlier_demo_wrote_is_replaced_as_a_whole(tmp_path):
    out = earlier_demo(tmp_path / "out")
    write_folder(out, {NUMBERS: b"{}"})
    assert everything(tmp_path) == {NUMBERS: "{}"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    out = earlier_demo(tmp_path / "out")
    (out / "thesis.tex").write_text("years of work")
    before = everything(tmp_path)
    with pytest.raises(FileError, match="it holds files that no demo wrote"):
        write_folder(out, {PAGE: b"new"})
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ["[]", '{"schema": "another"}', "not JSON"])
def test_files_that_only_have_our_names_are_left_alone(tmp_path, text):
    out = earlier_demo(tmp_path / "out")
    (out / NUMBERS).write_text(text)
    with pytest.raises(FileError, match="no demo wrote"):
        check_out(out)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(FileError, match=r"cannot create the folder .*out/below: Not a directory"):
        check_out(tmp_path / "out" / "below")
    with pytest.raises(FileError, match=r"cannot create the folder .*: File name too long"):
        check_out(tmp_path / ("n" * 300))
    assert everything(tmp_path) == {"out": "a file"}


def test_a_link_to_a_folder_stays_and_the_folder_is_replaced(tmp_path):
    out = earlier_demo(tmp_path / "out")
    (tmp_path / "link").symlink_to(out)
    write_folder(tmp_path / "link", {PAGE: b"new"})
    assert everything(out) == {PAGE: "new"}
    assert (tmp_path / "link").is_symlink()


def test_the_folder_one_stands_in_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(earlier_demo(tmp_path / "out"))
    with pytest.raises(FileError, match="the folder that this command runs in"):
        check_out(Path())


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_or_ctrl_c_while_writing_leaves_what_was_there(tmp_path, monkeypatch, error):
    out = earlier_demo(tmp_path / "out")
    before = everything(tmp_path)
    whole = folders.write_file

    def fail_at_the_page(path, content):
        if path.name == PAGE:
            raise error
        return whole(path, content)

    monkeypatch.setattr(folders, "write_file", fail_at_the_page)
    with pytest.raises(type(error)):
        write_folder(out, {NUMBERS: b"{}", PAGE: b"new"})
    assert everything(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_error_in_the_last_step_puts_the_old_folder_back(tmp_path, monkeypatch):
    out = earlier_demo(tmp_path / "out")
    before = everything(tmp_path)
    rename = Path.rename

    def fail_for_the_new_one(path, target):
        if (path / PAGE).exists() and (path / PAGE).read_text() == "new":
            raise OSError("gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(OSError, match="gone"):
        write_folder(out, {PAGE: b"new"})
    assert everything(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
