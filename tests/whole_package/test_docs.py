"""Examples and tables of docs/concepts.md have the true numbers, its links exist; CITATION.cff."""

import doctest
import re
from pathlib import Path

import pytest
import torch
from torch import nn

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


# ---- the tables of the network in numbers --------------------------------------------------------

RECIPES = {
    "LRP-0": relprop.Recipe.preset("zero"),
    "Epsilon": relprop.Recipe.preset("epsilon", epsilon=1.0),
    "z-plus": relprop.Recipe.preset("alpha-beta", alpha=1.0, beta=0.0),
}


def section(title: str) -> str:
    return re.search(rf"^### {title}\n(.*?)^##", CONCEPTS, re.DOTALL | re.MULTILINE)[1]


def evaluate(term: str) -> torch.Tensor:
    """Compute a number or a tuple, written as in "2 · (1, 3/4 + 1)"."""
    assert re.fullmatch(r"[-+·/(),. 0-9]+", term), term
    code = re.sub(
        r"\(([^()]*,[^()]*)\)", r"torch.tensor([\1], dtype=torch.float64)", term.replace("·", "*")
    )
    return torch.as_tensor(eval(code), dtype=torch.float64)


def table(title: str) -> dict[str, list[torch.Tensor | None]]:
    """Return the cells of a table by row: what stands after their last "="."""
    lines = re.findall(r"^\| (output|hidden units|inputs) \|(.*)\|$", section(title), re.MULTILINE)
    cells = {
        name: [cell.split("=")[-1].strip() for cell in line.split("|")] for name, line in lines
    }
    return {name: [evaluate(cell) if cell else None for cell in row] for name, row in cells.items()}


def computed(recipe: relprop.Recipe) -> dict[str, list[torch.Tensor]]:
    """Compute what the cells stand for: c, R, and what is absorbed by biases and stabilisers."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double().eval()
    (first, _, last), tensor = model, torch.tensor
    first.weight.data[:], first.bias.data[:] = tensor([[3, -1], [-1, 2]]), tensor([2, -2])
    last.weight.data[:], last.bias.data[:] = tensor([[2, -4]]), tensor([2])
    x = tensor([[1.0, 2.0]], dtype=torch.float64)
    e = relprop.explain(model, x, recipe, relprop.at(0), ledger=True, layers=["1"])
    hidden, inputs = e.layers["1"], e.relevance
    to_hidden, to_inputs = (
        [entry.absorbed.get(cause, torch.zeros(1)) for cause in ("bias", "stabiliser")]
        for entry in e.ledger.entries
    )
    return {
        "output": [torch.ones(1), e.output],
        "hidden units": [hidden / model[:2](x), hidden, *to_hidden],
        "inputs": [inputs / x, inputs, *to_inputs],
    }


@pytest.mark.parametrize("title", RECIPES)
def test_the_tables_have_the_numbers_that_are_computed(title):
    cells, want = table(title), computed(RECIPES[title])
    assert cells.keys() == want.keys()
    for name, values in cells.items():
        known = [value for value in values if value is not None]
        assert len(known) >= (2 if name == "output" else 3)
        for value, expected in zip(known, want[name], strict=False):
            assert value.flatten().tolist() == pytest.approx(expected.flatten().tolist(), abs=1e-5)


@pytest.mark.parametrize(("title", "count"), [("LRP-0", 6), ("Epsilon", 9), ("z-plus", 4)])
def test_the_sums_in_tables_and_text_are_right(title, count):
    """Such as "4 = 6 - 4 + 2", or a sum and its result in a cell."""
    text = re.sub(r"```.*?```", "", section(title), flags=re.DOTALL)
    chains = re.findall(r"(?<!\w)(?<![·/+-] )[-(0-9][-+·/(),. 0-9]*(?:=[-+·/(),. 0-9]+)+", text)
    checked = 0
    for chain in chains:
        first, *others = (evaluate(term.strip(" ,.")) for term in chain.split("="))
        for other in others:
            torch.testing.assert_close(other, first, rtol=1e-12, atol=1e-12)
            checked += 1
    assert checked == count


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
