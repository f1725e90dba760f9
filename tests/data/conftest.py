"""A folder with three digits, an empty cache, and a web server that publishes the three digits."""

import functools
import hashlib
import http.server
import threading
import time

import pooch
import pytest
from helpers.three_digits import IMAGES, LABELS, write_three_digits

from relprop.data import families


@pytest.fixture
def folder(tmp_path):
    """A folder with three digits, as gzipped idx files in mnist/."""
    write_three_digits(tmp_path / "data" / "mnist")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no RELPROP_DATA, and no way to the internet."""
    monkeypatch.delenv("RELPROP_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setitem(families.URLS, "mnist", "http://127.0.0.1:9")
    return tmp_path / "cache" / "relprop" / "mnist"


class Silent(http.server.SimpleHTTPRequestHandler):
    """A file server without a log, which remembers requests and may pause within a file."""

    def do_GET(self):
        self.server.requested.append(self.path)
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
    web.requested, web.pause = [], 0.0
    threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setitem(families.URLS, "mnist", f"http://127.0.0.1:{web.server_port}")
    contents = {name: (home / name).read_bytes() for name in (IMAGES, LABELS)}
    published = {name: (len(c), hashlib.md5(c).hexdigest()) for name, c in contents.items()}
    monkeypatch.setitem(families.PUBLISHED, "mnist", published)
    yield web
    web.shutdown()
    web.server_close()
