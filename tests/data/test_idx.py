"""The idx format: damaged files are errors that say what is wrong."""

import gzip
import tracemalloc
import zlib

import numpy as np
import pytest
from helpers.idx_files import idx
from helpers.three_digits import IMAGES, PIXELS

from relprop.data.idx import read_idx, read_idx_shape
from relprop.errors import FileError


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_file_has_its_shape_and_bytes(compress, tmp_path):
    (tmp_path / IMAGES).write_bytes(compress(idx(PIXELS)))
    np.testing.assert_array_equal(read_idx(tmp_path / IMAGES, ndim=3), PIXELS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match=rf"{IMAGES} cannot be read: No such file"):
        read_idx(tmp_path / IMAGES, ndim=3)


GOOD = idx(PIXELS)
DAMAGE = {
    "no gzip": (b"\x1f\x8bnot really", "is damaged"),
    "gzip cut short": (gzip.compress(GOOD)[:-9], "is damaged"),
    "gzip bits flipped": (gzip.compress(GOOD)[:60] + b"\xff" * 40, "is damaged"),
    "empty": (b"", r"starts with the bytes \(none\)"),
    "another file": (b"<html>nothing here</html>", "starts with the bytes 3c 68 74 6d"),
    "other numbers": (idx(PIXELS, kind=0x0D), "starts with the bytes 00 00 0d 03"),
    "other dimensions": (idx(PIXELS.reshape(3, 784)), "starts with the bytes 00 00 08 02"),
    "header cut short": (GOOD[:9], "ends within its header"),
    "cut short": (GOOD[:-1], "cut short: 2,367 bytes of 2,368"),
    "too long": (GOOD + b"\0", "longer than its header says: more than 2,368 bytes"),
    "too long, zipped": (gzip.compress(GOOD + b"\0"), "longer than its header says"),
    "cut short, zipped": (gzip.compress(GOOD[:-1]), "cut short: 2,367 bytes of 2,368"),
    "more behind the gzip": (gzip.compress(GOOD) + b"more", "is damaged"),
    "a wrong checksum": (gzip.compress(GOOD)[:-8] + bytes(8), "is damaged"),
    "no images": (idx(PIXELS[:0]), r"its sizes are \(0, 28, 28\), so that it holds nothing"),
    "no pixels": (gzip.compress(idx(PIXELS[:, :0])), r"its sizes are \(3, 0, 28\)"),
    "huge sizes": (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "cut short"),
}


@pytest.mark.parametrize("rows", [None, np.array([1])])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_an_error_that_says_what_is_wrong(kind, rows, tmp_path):
    content, message = DAMAGE[kind]
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(FileError, match=message):
        read_idx(tmp_path / IMAGES, 3, rows)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_rows_are_read_without_the_rest(compress, tmp_path):
    many = np.random.default_rng(0).integers(0, 256, (5000, 28, 28), dtype=np.uint8)
    (tmp_path / IMAGES).write_bytes(compress(idx(many)))
    rows = np.array([0, 7, 1336, 1337, 1338, 4999])  # blocks of a megabyte have 1,337 pictures
    tracemalloc.start()
    got = read_idx(tmp_path / IMAGES, 3, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(got, many[rows])
    assert peak < many.nbytes


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_the_shape_is_read_from_the_header_alone(compress, tmp_path):
    (tmp_path / IMAGES).write_bytes(compress(GOOD[:20]))
    assert read_idx_shape(tmp_path / IMAGES, ndim=3) == PIXELS.shape
    with pytest.raises(FileError, match="cut short: 20 bytes of 2,368"):
        read_idx(tmp_path / IMAGES, ndim=3)


@pytest.fixture
def decompressed(monkeypatch):
    """How many bytes were decompressed so far."""
    counts = [0]
    make = zlib.decompressobj

    class Counter:
        def __init__(self, *args, **kwargs):
            self.inner = make(*args, **kwargs)

        def decompress(self, *args):
            result = self.inner.decompress(*args)
            counts[0] += len(result)
            return result

        def __getattr__(self, name):
            return getattr(self.inner, name)

    for home in (zlib, getattr(gzip, "zlib", zlib)):
        monkeypatch.setattr(home, "decompressobj", Counter)
        if hasattr(home, "_ZlibDecompressor"):  # of Python 3.12 and later
            monkeypatch.delattr(home, "_ZlibDecompressor")
    return counts


def test_no_more_is_decompressed_than_the_header_says(decompressed, tmp_path):
    """A stream of 20 MB that says it is a few images, another kind of file, or an empty one."""
    zeros = bytes(20_000_000)
    for header, words in (
        (GOOD[:16], "longer than its header says"),
        (b"text", "starts with the bytes 74 65 78 74"),
        (idx(PIXELS[:0]), "holds nothing"),
    ):
        (tmp_path / IMAGES).write_bytes(gzip.compress(header + zeros, 1))
        decompressed[0] = 0
        with pytest.raises(FileError, match=words):
            read_idx(tmp_path / IMAGES, ndim=3)
        assert 0 < decompressed[0] < 200_000
