"""Downloads: complete and checked, or not at all, and no endless wait."""

import gc
import socket
import threading
import time

import pytest
from helpers.three_digits import IMAGES, LABELS, assert_three_digits

from relprop.data import download, families, load_digits
from relprop.data.download import DownloadError
from relprop.support.progress import Progress


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_lands_in_the_cache_and_is_made_once(server, cache):
    digits = load_digits()
    assert_three_digits(digits)
    assert digits.source.endswith(f"{families.URLS['mnist']}, MD5 checked, cached in {cache}")
    assert files_in(cache) == [IMAGES, LABELS]
    load_digits(download=False)
    assert server.requested == [f"/{IMAGES}", f"/{LABELS}"]


def test_a_damaged_cached_file_is_fetched_again(server, cache):
    load_digits()
    (cache / LABELS).write_bytes(b"half")
    assert_three_digits(load_digits())
    assert server.requested[2:] == [f"/{LABELS}"]


def test_progress_is_told_of_every_byte(server):
    class Stages(Progress):
        def __init__(self):
            super().__init__("quiet")
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
    sizes = [size for size, _ in families.PUBLISHED["mnist"].values()]
    assert [(total, unit, done) for _, total, unit, done in progress.seen] == [
        (size, "bytes", size) for size in sizes
    ]


def test_wrong_content_is_refused_and_not_kept(server, folder, cache):
    (folder / "mnist" / IMAGES).write_bytes(b"something else")
    with pytest.raises(DownloadError, match="the 14 bytes received do not have the MD5"):
        load_digits()
    assert files_in(cache) == []


@pytest.mark.slow
def test_a_missing_page(server, folder, cache):
    (folder / "mnist" / IMAGES).unlink()
    with pytest.raises(DownloadError, match="the server answered 404"):
        load_digits()
    assert files_in(cache) == []
    gc.collect()  # a connection left open would be an error here (a ResourceWarning)


@pytest.fixture
def raw_server(monkeypatch):
    """A port; what comes over a connection to it, if anything, is up to the test."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setitem(
            families.URLS, "mnist", f"http://127.0.0.1:{listening.getsockname()[1]}"
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
    assert seconds_to_fail("no data|timed out") < 5
    assert files_in(cache) == []


def test_a_stall_in_the_middle_is_noticed_and_leaves_nothing(raw_server, cache, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
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
        assert seconds_to_fail("no data|timed out") < 5
    finally:
        release.set()
        thread.join()
    assert files_in(cache) == []


def test_a_look_up_that_hangs_is_noticed_too(monkeypatch):
    """Nothing in the socket library bounds how long a name look-up takes."""
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) or [])
    try:
        assert seconds_to_fail("no data for 0.3 seconds") < 5
    finally:
        release.set()


def test_without_a_network_the_error_says_so_in_words(monkeypatch, folder):
    def no_such_host(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    with pytest.raises(DownloadError, match=r"ubyte\.gz: no network\n") as caught:
        load_digits()
    assert caught.value.reason == "no network"
    assert "service not known" in str(caught.value.__cause__)  # for who looks for it


def test_download_switched_off(server):
    with pytest.raises(
        DownloadError, match=r"not in the cache.*\n.*\n.*--data-dir or RELPROP_DATA"
    ):
        load_digits(download=False)
    assert server.requested == []


def test_a_cache_that_cannot_be_written(server, cache):
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="cannot be written"):
        load_digits()
