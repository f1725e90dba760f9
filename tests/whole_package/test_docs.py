"""The examples in docs/concepts.md print what they say, and the page's links exist."""

import doctest
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
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
