"""Files that may be compressed, their names and letters."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from relprop.data.sources.opened import (
    encoding_of,
    open_bytes,
    plain_name,
    plain_stem,
    plain_suffix,
    read_text,
)
from relprop.errors import FileError

PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("end", PACKERS)
def test_a_file_is_decompressed_by_its_ending(end, tmp_path):
    path = tmp_path / f"Some.Data.CSV{end}"
    path.write_bytes(PACKERS[end](b"a,b\n1,2\n"))
    with open_bytes(path) as file:
        assert file.read() == b"a,b\n1,2\n"
    assert plain_name(path) == "Some.Data.CSV"
    assert plain_suffix(path) == ".csv"
    assert plain_stem(path) == "Some.Data"


LETTERS = {"utf-8-sig": "é, ß, 語".encode(), "latin-1": "é, ß".encode("latin-1")}


@pytest.mark.parametrize("encoding", LETTERS)
def test_the_encoding_is_utf_8_or_latin_1(encoding, tmp_path):
    (tmp_path / "t").write_bytes(LETTERS[encoding])
    assert read_text(tmp_path / "t") == (LETTERS[encoding].decode(encoding), encoding)


def test_a_mark_of_utf_8_is_no_letter_and_utf_16_is_known(tmp_path):
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbfname")
    assert read_text(tmp_path / "t") == ("name", "utf-8-sig")
    (tmp_path / "t").write_bytes("name".encode("utf-16"))
    assert encoding_of(tmp_path / "t") == "utf-16"


@pytest.mark.parametrize("end", [".gz", ".bz2", ".xz"])
def test_a_damaged_file_is_an_error(end, tmp_path):
    path = tmp_path / f"t{end}"
    path.write_bytes(PACKERS[end](b"a" * 1000)[:-9])
    with pytest.raises(FileError, match=rf"t\{end} (is damaged|cannot be read)"):
        read_text(path)


def test_a_missing_file_is_an_error():
    with pytest.raises(FileError, match=r"nowhere cannot be read: No such file"):
        read_text(Path("nowhere"))


def test_a_file_that_holds_no_text_is_an_error(tmp_path):
    (tmp_path / "a.pos").write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(FileError, match=r"a\.pos is no text: it holds bytes that are 0"):
        read_text(tmp_path / "a.pos")
