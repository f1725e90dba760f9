"""The results page on small data: its cells against the functions of the library."""

from dataclasses import replace
from pathlib import Path

import faithfulness
import pytest
from helpers.idx_files import write_digits

import relprop
from relprop.data import first_digits, packaged_digits
from relprop.evaluate import bootstrap_mean, paired_test, removal_curves
from relprop.evaluate.statistics.classification import classification_summary
from relprop.models.checkpoint import model_card, save_model
from relprop.support.progress import QUIET

DENSE = "mnist-dnn-300-100"
METHODS = ("zero", "epsilon-plus-flat", "gamma:gamma=0.25")


@pytest.fixture(scope="module")
def digits():
    return first_digits(packaged_digits(), 30)


@pytest.fixture(scope="module")
def page(digits, tmp_path_factory):
    """The page of two dense networks that are the same but for their name and data."""
    home = tmp_path_factory.mktemp("page")
    write_digits(home / "mnist", digits)
    write_digits(home / "fashion-mnist", replace(digits, images=digits.images.flip(3)))
    work = faithfulness.Work(home, home / "work", None, 20, QUIET)
    card = replace(model_card(DENSE), family="fashion-mnist")
    save_model(relprop.load_model(DENSE), work.folder / "models" / "coat.safetensors", card)
    with pytest.MonkeyPatch.context() as patch:
        names = {"MNIST": (DENSE,), "FASHION": ("coat",), "RULES": METHODS}
        for name, value in {**names, "ALL_METHODS": METHODS, "FILLS": ("zero", "mean")}.items():
            patch.setattr(faithfulness, name, value)
        faithfulness.write(home / "page.md", *faithfulness.run_comparisons(work))
    return home / "page.md"


def tables(page):
    """Each table of the page: rows of cells, by the heading above it."""
    found, heading = {}, ""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            found.setdefault(heading, []).append([part.strip() for part in line.split("|")[1:-1]])
    return found


def curves(images, fill="zero"):
    model = relprop.load_model(DENSE)
    maps = {
        method: relprop.explain(model, images, recipe).relevance
        for method, recipe in (("zero", "zero"), ("gamma", relprop.Recipe.preset("gamma")))
    }
    return removal_curves(model, images, maps, fill=fill, steps=20)


@pytest.mark.parametrize(("column", "flipped"), [(1, False), (2, True)])
def test_a_cell_has_the_gain_of_the_method_on_all_images_of_its_data(page, digits, column, flipped):
    rows = {row[0]: row for row in tables(page)["Fill zero, all 30 test images"]}
    images = digits.images.flip(3) if flipped else digits.images
    three = curves(images)
    gains = {name: one.srg for name, one in three.items()}
    for name, gain in gains.items():
        mean, low, high = rows[f"`{name}`"][column].replace("**", "").replace(",", "").split()
        expected = bootstrap_mean(gain)
        assert float(mean) == pytest.approx(expected.mean, abs=1.5e-3)
        assert float(low[1:]) == pytest.approx(expected.interval.low, abs=0.01)
        assert float(high[:-1]) == pytest.approx(expected.interval.high, abs=0.01)
    best, other = sorted(gains, key=lambda name: -float(gains[name].mean()))
    told_apart = paired_test(gains[best], gains[other]).p_value < 0.05
    assert rows[f"`{best}`"][column].startswith("**")
    assert rows[f"`{other}`"][column].startswith("**") is not told_apart
    assert rows["`epsilon-plus-flat`"][column] == "no order"


def test_each_fill_has_its_table_on_the_first_images(page, digits):
    rows = {row[0]: row for row in tables(page)["Fill mean"]}
    grey = digits.images[:20].mean().item()
    expected = float(curves(digits.images[:20], fill=grey)["zero"].srg.mean())
    got = rows["`zero`"][1].replace("**", "").split()[0]
    assert float(got) == pytest.approx(expected, abs=0.01)  # tied pixels go in another order


def test_error_rates_and_margins_are_those_of_the_digits(page, digits):
    found = tables(page)
    assert "coat" not in found
    rows = {row[0]: row for row in found[DENSE]}
    assert rows["error rate, most / least relevant removed"][1:4] == ["q = 1%", "q = 5%", "q = 10%"]
    removed = curves(digits.images)["zero"]
    most, least = (
        classification_summary(one.at(0.1), digits.labels).error_rate.value
        for one in (removed.morf, removed.lerf)
    )
    share_rows = [row for row in found[DENSE] if row[0] == "`zero`"]
    assert share_rows[0][3] == f"{most:.1%} / {least:.1%}"
    strongest = classification_summary(removed.morf.at(0.1), digits.labels)
    ends = (strongest.correct.largest, strongest.wrong.largest)
    assert share_rows[1][3] == " / ".join("-" if one is None else f"{one:.4f}" for one in ends)


def test_the_best_is_named_for_each_network_and_fill(page, digits):
    rows = tables(page)["Which method is best"]
    gains = {name: one.srg.mean() for name, one in curves(digits.images[:20]).items()}
    best = max(gains, key=gains.get)
    assert rows[0] == ["network", "fill zero", "fill mean"]
    assert rows[2][0] == DENSE
    assert rows[2][1].split()[0] == best


def test_every_figure_that_the_page_shows_is_there(page):
    named = [line.split("(")[1][:-1] for line in page.read_text().splitlines() if "![" in line]
    assert named == ["page-mnist.png", "page-fashion-mnist.png"]
    assert all(Path(page.parent, name).read_bytes().startswith(b"\x89PNG") for name in named)
