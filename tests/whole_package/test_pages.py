"""README and the pages in docs: their code runs, their commands exist, pictures are small."""

import re
from pathlib import Path

import click
import matplotlib.pyplot as plt
import pytest
import torch
from helpers.pages import PAGES, ROOT, blocks, run_blocks, without_download

from relprop.cli import main

LARGEST = 100_000  # bytes of a picture
INTERVAL = r"-?0\.\d{4} \[-?0\.\d{4}, -?0\.\d{4}\]"
# What the blocks of a page print: one pattern for each promise that the page makes.
PRINTED = {
    "README": [r"plan of recipe auto: epsilon-plus-flat", rf"^srg +{INTERVAL}$"],
    "conditions": [r"^\d+ tensor\(0\.2"],
    "conservation": [r"^ledger: mean of 100 samples", r"torch\.Size\(\[100, 32, 28, 28\]\)"],
    "evaluating": [
        r"torch\.Size\(\[20, 3\]\)",
        rf"^srg +{INTERVAL}$",
        r"cascading, 20 samples",
        r"with the artefact: mask of 1\.15%, 20 samples",
    ],
    "from-captum": [r"^tensor\((0\.0001|\d\.\d+e-05)\)$"],
    "from-lxt": [r"^torch\.Size\(\[1, 6\]\)$"],
    "from-zennit": [r"^tensor\(\d\.\d+e-0[67]\)$", r"z-box\(low=0, high=1\) +any first operation"],
    "own-cnn": [r"^tensor\(1\.\)$"],
    "recipes": [r"z-box\(low=0, high=1\)"],
    "start": [r"torch\.Size\(\[8, 1, 28, 28\]\)", r"plan of recipe auto: epsilon-plus-flat"],
    "surprises": [
        r"^epsilon 0\.00$",
        r"^gamma 0\.[1-9]",
        r"^tensor\(\[\[ ?-?0\.0000, ",
        r"^tensor\(4\)$",
    ],
    "tables": [r"^job +\d", r"^\[2 5\]$"],
    "text": [r"^torch\.Size\(\[2, 8\]\)$", r"^torch\.Size\(\[2, 12\]\)$"],
    "time-series": [r"^torch\.Size\(\[4, 2, 64\]\)$", r"auto: epsilon, as the model is recurrent"],
    "timm": [r"plan of recipe auto: attnlrp"],
    "training": [r"^tensor\(\[0\.0000, 0\.2500\]\)$", r"^0\.\d+$"],
}
# The files that they write.
WRITTEN = {
    "README": ["heatmap.png", "explanation.html"],
    "index": ["start.png"],
    "start": ["heatmap.png", "explanation.npz", "explanation.png", "pictures/*.png"],
    "text": ["texts.html", "texts.png"],
    "tables": ["rows.png", "waterfall.png", "overall.png", "overall.csv"],
    "time-series": ["series.png"],
    "own-cnn": ["shapes.png", "maps/*.png"],
    "large-data": ["mnist-cnn.plans"],
}
SLOW = ("evaluating", "from-lxt", "large-data", "own-cnn", "text", "time-series", "timm")
WITH_PYTHON = [
    pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.stem in SLOW))
    for page in PAGES
    if blocks(page, "python")
]


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_blocks_run_one_after_the_other(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    without_download(monkeypatch)
    torch.manual_seed(0)
    absent = run_blocks(page)
    plt.close("all")
    printed = capsys.readouterr().out
    patterns = PRINTED.get(page.stem, [])
    missing = [text for text in patterns if not re.search(text, printed, re.MULTILINE)]
    reason = f"blocks of {page.name} need {', '.join(sorted(absent))}"
    if absent and missing:
        pytest.skip(reason)
    assert missing == [], printed
    files = WRITTEN.get(page.stem, [])
    assert [pattern for pattern in files if not any(tmp_path.glob(pattern))] == []
    if absent:
        pytest.skip(reason)


def test_the_tables_here_name_pages_that_exist():
    assert PRINTED.keys() | WRITTEN.keys() <= {page.id for page in WITH_PYTHON}


def options_of(command: click.Command) -> set[str]:
    """Return the options of a command, as one writes them."""
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


def written_commands(page: Path) -> list[list[str]]:
    """Return the words of each line of bash blocks, and of each inline command of relprop."""
    text = "".join(blocks(page, "bash")).replace("\\\n", " ")
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    inline = re.findall(r"`(relprop [a-z][^`\n]*)`", prose)
    return [line.split("#")[0].split() for line in [*text.splitlines(), *inline] if line.strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_commands_and_their_options_exist(page):
    targets = re.findall(r"^([\w/()$ ]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in written_commands(page):
        if words[0] == "relprop":
            allowed = options_of(main.commands[words[1]])
            assert {word for word in words if word.startswith("--")} <= allowed, words
        elif words[0] == "make":
            assert words[1] in targets, words
        else:
            assert words[0] == "pip", words


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_pictures_have_words_and_are_small(page):
    for alt, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text()):
        assert len(alt.split()) >= 4, f"{path}: say what it shows"
        if "pictures/" in path:
            assert (page.parent / path).stat().st_size < LARGEST, path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_links_to_headings_exist(page):
    links = re.findall(r"\]\(((?:[\w/.-]+\.md)?#[\w-]+)\)", page.read_text())
    for path, _, anchor in (link.partition("#") for link in links):
        text = (page.parent / path if path else page).read_text()
        headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
        slugs = [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings]
        assert anchor in slugs, f"{path}#{anchor}"
