"""Examples in docs/concepts.md print what they say, its links exist; CITATION.cff is current."""

import doctest
import re
from pathlib import Path

import relprop

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONCEPTS = (DOCS / "concepts.md").read_text()


def test_the_examples_print_what_they_say():
    parser = doctest.DocTestParser()
    blocks = re.findall(r"^```pycon\n(.*?)^```", CONCEPTS, re.DOTALL | re.MULTILINE)
    example = parser.get_doctest("\n".join(blocks), {}, "docs/concepts.md", "concepts.md", 0)
    assert len(example.examples) > 30
    lines: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(example, out=lines.append)
    assert results.failed == 0, "".join(lines)


def test_its_links_and_headings_exist():
    headings = re.findall(r"^#+ (.*)$", CONCEPTS, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for link in re.findall(r"\]\((?!http)([^)]+)\)", CONCEPTS):
        path, _, anchor = link.partition("#")
        assert (DOCS / path).exists(), link
        assert path or anchor in anchors, link


def test_the_citation_has_the_version_of_the_package():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == relprop.__version__
