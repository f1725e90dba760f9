"""The scripts in examples/ run, and draw the pictures that pages show."""

import runpy
import sys

import matplotlib.pyplot as plt
import pytest
from helpers.pages import DOCS, ROOT
from PIL import Image

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_each_picture_is_made_by_a_script_of_its_name():
    made = {path.stem for path in (DOCS / "pictures").iterdir()}
    assert made == {path.stem for path in EXAMPLES if "write" in path.read_text()[:400]}


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws_what_the_pages_show(script, tmp_path, monkeypatch):
    """The picture has the size of the one in the pages, and more than one colour."""
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    plt.close("all")
    for path in tmp_path.iterdir():
        with Image.open(path) as drawn, Image.open(DOCS / "pictures" / path.name) as shown:
            assert drawn.size == shown.size
            assert len(drawn.convert("RGB").getcolors(2**20)) > 20
    shown = (DOCS / "pictures" / f"{script.stem}.png").exists()
    assert [path.stem for path in tmp_path.iterdir()] == [script.stem] * shown
