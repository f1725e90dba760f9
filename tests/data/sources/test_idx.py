"""Folders of idx files: MNIST, EMNIST's orientation and labels, QMNIST's columns."""

import gzip
import struct

import numpy as np
import pytest
from helpers.idx_files import idx

from relprop.data.memory import Limit
from relprop.data.sources.idx import family_of, has_idx_files, read_idx_folder
from relprop.errors import FileError, InputError

LIMIT = Limit(10**9, 0, True)
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 6, 5))
DIGITS = np.arange(12) % 10


def write(folder, prefix="", train="train", test="t10k", labels=DIGITS, compress=gzip.compress):
    end = ".gz" if compress is gzip.compress else ""
    for part, pixels in ((train, PIXELS), (test, PIXELS[:4])):
        if part:
            path = folder / f"{prefix}{part}-images-idx3-ubyte{end}"
            path.write_bytes(compress(idx(pixels)))
            path = folder / f"{prefix}{part}-labels-idx1-ubyte{end}"
            path.write_bytes(compress(idx(labels[: len(pixels)])))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_mnist(compress, tmp_path):
    write(tmp_path, compress=compress)
    raw = read_idx_folder(tmp_path, LIMIT)
    assert has_idx_files(tmp_path)
    np.testing.assert_array_equal(raw.samples[:12, ..., 0], PIXELS)
    np.testing.assert_array_equal(raw.samples[12:, ..., 0], PIXELS[:4])
    assert raw.samples.dtype == np.uint8
    assert raw.labels.tolist() == [*DIGITS, *DIGITS[:4]]
    assert raw.official.tolist() == ["train"] * 12 + ["test"] * 4
    assert (raw.keys[0], raw.keys[-1]) == ("train 0", "test 3")


def test_a_folder_named_fashion_mnist_has_its_classes(tmp_path):
    (tmp_path / "fashion-mnist").mkdir()
    write(tmp_path / "fashion-mnist")
    raw = read_idx_folder(tmp_path / "fashion-mnist", LIMIT)
    assert raw.classes[:2] == ("T-shirt/top", "Trouser")


def test_emnist_is_transposed_and_counts_letters_from_1(tmp_path):
    write(tmp_path, "emnist-letters-", test="test", labels=np.array([1, 26] * 6))
    raw = read_idx_folder(tmp_path, LIMIT)
    np.testing.assert_array_equal(raw.samples[:12, ..., 0], PIXELS.swapaxes(1, 2))
    assert [raw.classes[i] for i in raw.labels[:2]] == ["A", "Z"]
    assert {"orientation", "labels"} <= {one.what for one in raw.findings}


def test_emnist_balanced_has_digits_capitals_and_some_small_letters(tmp_path):
    write(tmp_path, "emnist-balanced-", test="test", labels=np.array([0, 10, 36, 46] * 3))
    raw = read_idx_folder(tmp_path, LIMIT)
    assert [raw.classes[i] for i in raw.labels[:4]] == ["0", "A", "a", "t"]


def test_qmnist_has_the_class_in_the_first_of_eight_columns(tmp_path):
    write(tmp_path, "qmnist-", test=None)
    (tmp_path / "qmnist-train-labels-idx1-ubyte.gz").unlink()
    columns = np.stack([DIGITS, *(np.full(12, 1000 + i) for i in range(7))], axis=1)
    content = bytes((0, 0, 0x0C, 2)) + struct.pack(">2I", 12, 8) + columns.astype(">i4").tobytes()
    path = tmp_path / "qmnist-train-labels-idx2-int.gz"
    path.write_bytes(gzip.compress(content))
    raw = read_idx_folder(tmp_path, LIMIT)
    assert raw.labels.tolist() == DIGITS.tolist()
    assert set(raw.official) == {""}
    path.write_bytes(gzip.compress(content[:-4]))
    with pytest.raises(FileError, match=r"qmnist-train-labels.* is no idx file of four-byte"):
        read_idx_folder(tmp_path, LIMIT)


def test_several_families_are_offered_by_name(tmp_path):
    write(tmp_path, "emnist-digits-", test="test")
    write(tmp_path, "emnist-letters-", test="test", labels=DIGITS + 1)
    with pytest.raises(InputError, match=r"2 data sets\n.*emnist-digits, emnist-letters"):
        read_idx_folder(tmp_path, LIMIT)
    with pytest.raises(InputError, match=r'write "emnist-letters"'):
        read_idx_folder(tmp_path, LIMIT, "emnist-leters")
    assert read_idx_folder(tmp_path, LIMIT, "emnist-digits").labels.max() == 9
    assert family_of(tmp_path / "emnist-digits-test-images-idx3-ubyte.gz") == "emnist-digits"
    assert family_of(tmp_path / "notes.txt") is None


def test_files_that_do_not_belong_together_are_errors(tmp_path):
    write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(DIGITS[:5])))
    with pytest.raises(FileError, match=r"12 images, and 5 labels"):
        read_idx_folder(tmp_path, LIMIT)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileError, match=r"train-images.*, and no labels that belong to it"):
        read_idx_folder(tmp_path, LIMIT)


def test_more_pictures_than_fit_are_sampled_with_their_labels(tmp_path):
    many = np.repeat(np.arange(200)[:, None, None], 100, axis=1).repeat(100, axis=2)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(many))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(200)))
    raw = read_idx_folder(tmp_path, Limit(1_000_000, 0, True))
    assert len(raw.labels) == 100
    assert raw.keys == [f"train {label}" for label in raw.labels]
    assert raw.samples[:, 0, 0, 0].tolist() == raw.labels.tolist()
    assert "100 of them, chosen at random, are used" in raw.warnings[0]


@pytest.mark.parametrize("name", ["labels-idx2-int.gz", "labels-idx2-int"])
def test_labels_of_qmnist_that_are_cut_short_are_an_error(name, tmp_path):
    content = bytes((0, 0, 12, 2, 0, 0, 0, 5))
    content = gzip.compress(content)[:-5] if name.endswith(".gz") else content
    (tmp_path / f"qmnist-train-{name}").write_bytes(content)
    pixels = bytes((0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 2)) + bytes(20)
    (tmp_path / "qmnist-train-images-idx3-ubyte").write_bytes(pixels)
    with pytest.raises(FileError, match=r"is damaged|is no idx file of four-byte numbers"):
        read_idx_folder(tmp_path, LIMIT)
