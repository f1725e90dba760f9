"""The site of `make docs`: it builds without a warning, is complete, and loads nothing."""

import re
from pathlib import Path

import pytest
from helpers.pages import DOCS, build_site
from helpers.public_api import WITHOUT_DOCSTRING, listed

pytest.importorskip("sphinx")
pytestmark = pytest.mark.slow  # the whole site is built
LOADS = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="(?!data:)([^"]*)"|<link\b[^>]*\bhref="([^"]*)\""""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


def test_each_page_is_in_the_navigation(site):
    start = (site / "index.html").read_text()
    for page in DOCS.glob("*.md"):
        if page.stem != "index":
            assert f'href="{page.stem}.html"' in start, page.stem


def test_the_reference_documents_every_public_name(site):
    pages = "".join(path.read_text() for path in (site / "reference").glob("*.html"))
    for module, name in listed():
        assert f'id="{module}.{name}"' in pages, f"{module}.{name}"
    assert len(WITHOUT_DOCSTRING) < 10


def test_the_reference_says_what_docstrings_say(site):
    """Words before a colon are no type, and the options of a call are there."""
    text = re.sub(r"<[^>]*>", "", (site / "reference" / "explain.html").read_text())
    text = " ".join(text.split())
    assert "How the model is captured: “export” or “per-input”." in text
    assert "A Plan: every operation, its rule, and why it got it." in text
    assert "tensor (batch, *features)" in text
    assert "keep_parallel: With conditions" in text
    assert "Return type" not in text


def test_the_site_loads_nothing_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = {one or other for one, other in LOADS.findall(page.read_text())}
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text()), style.name
