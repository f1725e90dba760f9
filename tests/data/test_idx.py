"""The idx format: damaged files are errors that say what is wrong."""

import gzip

import numpy as np
import pytest
from helpers.idx_files import idx
from helpers.three_digits import IMAGES, PIXELS

from relprop.data.idx import read_idx
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
    "too long": (GOOD + b"\0", "longer than its header says: 2,369 bytes of 2,368"),
    "huge sizes": (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "cut short"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_an_error_that_says_what_is_wrong(kind, tmp_path):
    content, message = DAMAGE[kind]
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(FileError, match=message):
        read_idx(tmp_path / IMAGES, ndim=3)
