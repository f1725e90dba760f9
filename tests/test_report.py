"""What a demo leaves behind: numbers, page, figures, folder."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from helpers.one_pixel import OnePixel, Oracle, planted_digits

from relprop.demo import output, wording
from relprop.demo.examples import examples
from relprop.demo.experiment import RECIPES, rule_table
from relprop.demo.gallery import Tile, network_grid, removal_grid
from relprop.demo.networks import compare_networks
from relprop.demo.output import FIGURES, NUMBERS, PAGE, check_folder, contents, publish
from relprop.demo.plot import tile_colours
from relprop.demo.report import command, page
from relprop.demo.results import as_record, short_table, to_json
from relprop.demo.run import Demo, Run, Settings
from relprop.errors import FileError
from relprop.evaluate import Interval
from relprop.evaluate.statistics.classification import MarginStatistics
from relprop.models import ModelCard

CARD = ModelCard(
    name="a<b",  # a name that would break the page if it were not escaped
    input_shape=(1, 5, 5),
    architecture=({"layer": "linear", "in_features": 25, "out_features": 3},),
    parameters=78,
    accuracy=0.9875,
)


@pytest.fixture(scope="module")
def demo():
    recipes, networks = dict.fromkeys(RECIPES, Oracle()), {CARD.name: Oracle(OnePixel(4))}
    digits = planted_digits()
    table = rule_table(recipes, digits, q=0.04)
    return Demo(
        settings=Settings(digits=12, q=0.04),
        digits=digits,
        available=20,
        cards={CARD.name: CARD},
        table=table,
        networks=compare_networks(networks, digits, q=0.04),
        examples=examples(digits, table, recipes, networks),
        run=Run({"rule_table": 1.25}, {"torch": "2.13.0"}, 2),
    )


@pytest.fixture(scope="module")
def files(demo):
    return contents(demo)


# ---- numbers ---------------------------------------------------------------------------


def test_the_numbers_are_in_the_documented_places(demo):
    record = json.loads(to_json(demo))
    assert record["schema"] == "relprop-demo/1"
    assert record["settings"]["removed_pixels"] == 1
    epsilon = record["rules"][1]
    assert epsilon["recipe"] == "epsilon"
    assert epsilon["most_relevant"]["error_rate"]["count"] == 8
    assert epsilon["poster"] == {"strongest_correct": 0.96633, "strongest_incorrect": 0.09543}
    assert record["rules"][-1]["poster"] is None
    assert 0 < record["comparisons"]["epsilon_minus_random"]["p_value"] < 1
    assert record["networks"][0]["curves"]["morf"][1]["error_rate"]["value"] == 8 / 12
    assert record["examples"][0]["after"]["morf"]["prediction"] == 0
    assert record["run"]["seconds"] == {"rule_table": 1.25}


def test_a_number_of_an_empty_group_is_null(demo):
    """All planted digits are read correctly when nothing is removed."""
    wrong = json.loads(to_json(demo))["untouched"]["wrong"]
    assert wrong == {"n": 0, "largest": None, "mean": None, "interval": None}


def test_only_the_run_differs_between_two_equal_runs(demo):
    other = replace(demo, run=Run({"rule_table": 9.0}, {"torch": "2.14.0"}, 4))
    first, second = as_record(demo), as_record(other)
    assert first.pop("run") != second.pop("run")
    assert first == second


def test_the_short_table_names_every_recipe_and_the_digits(demo):
    table = short_table(demo)
    assert all(re.search(rf"^{name} +66\.7% ", table, re.MULTILINE) for name in RECIPES)
    assert "12 digits: twelve planted digits." in table
    assert max(len(line) for line in table.splitlines()) <= 100


# ---- the page --------------------------------------------------------------------------


class Elements(HTMLParser):
    """The elements of a page, and its words."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_asks_for_nothing_from_elsewhere(files):
    parsed = Elements(files[PAGE].decode())
    addresses = [
        attributes[name]
        for _, attributes in parsed.elements
        for name in ("src", "srcset", "href")
        if name in attributes
    ]
    assert len(addresses) > 40
    assert all(address.startswith("data:image/") for address in addresses)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in parsed.elements}
    assert "url(" not in files[PAGE].decode()


def test_every_picture_has_words_for_those_who_cannot_see_it(files):
    pictures = [a for tag, a in Elements(files[PAGE].decode()).elements if tag == "img"]
    assert all(len(picture["alt"]) > 20 for picture in pictures)
    assert any("misread as 0" in picture["alt"] for picture in pictures)


def test_the_page_holds_the_numbers_the_definitions_and_the_way_to_repeat_them(files, demo):
    words = " ".join(" ".join(Elements(files[PAGE].decode()).words).split())
    assert "66.7%" in words
    assert "0.96633" in words  # the poster's
    assert "Nothing here was tuned to match" in words
    assert "the highest signed relevance for the class the network read" in words
    assert command(demo.settings) in words
    assert "a<b" in words
    assert "98.75%" in words


def test_digits_of_the_training_split_are_called_so(demo):
    trained = replace(demo, digits=replace(demo.digits, split="train"))
    warning = "The networks were trained on that split"
    assert warning in page(trained)
    assert warning not in page(demo)


def test_a_run_without_a_digit_to_show_still_has_a_page(demo):
    made = contents(replace(demo, examples=()))
    assert "No digit of this run is read correctly" in made[PAGE].decode()
    assert set(made) == {PAGE, NUMBERS, "rules.png", "networks.png"}


def test_the_command_repeats_every_choice():
    settings = Settings("mnist-dnn-500", None, 0.25, 7, "my data")
    assert command(settings) == (
        "relprop demo --model mnist-dnn-500 --digits all --q 0.25 --seed 7 --data-dir 'my data'"
    )


# ---- pictures --------------------------------------------------------------------------


def test_the_same_numbers_give_the_same_files(demo, files):
    assert contents(demo) == files
    assert set(files) == {PAGE, NUMBERS, *FIGURES}


def test_every_digit_is_shown_on_the_same_scale_and_each_heatmap_on_its_own():
    dim = torch.tensor([[0.0, 0.2]])
    digit = tile_colours(Tile(dim, "digit", (), ""))
    assert digit[0].tolist() == [[0, 0, 0, 255], [51, 51, 51, 255]]
    heatmap = tile_colours(Tile(dim, "heatmap", (), ""))
    assert (heatmap == tile_colours(Tile(dim * 10, "heatmap", (), ""))).all()


def test_a_line_of_the_poster_figure_reads_from_the_original_to_the_removals(demo):
    grid = removal_grid(demo.examples)
    assert grid.columns == (
        *("Original", "Heatmap"),
        *("Important removed", "Unimportant removed", "Random removed"),
    )
    tiles = grid.lines[0].tiles
    assert [tile.words[0] for tile in tiles[:4]] == [
        *("read as 1", "for a 1", "misread as 0", "read as 1")
    ]
    assert tiles[2].misread
    assert not tiles[0].misread
    assert tiles[2].pixels.equal(demo.examples[0].after["morf"].pixels)


def test_each_network_has_a_line_with_its_own_readings(demo):
    lines = network_grid(demo.examples).lines
    assert [line.title for line in lines] == ["", CARD.name]
    assert lines[1].tiles[0].words[0] == "read as 1"


# ---- words -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (0.9994, "0.999"), (0.9996, ">0.999"), (None, "\N{EN DASH}")],
)
def test_a_margin_below_1_never_reads_as_1(value, text):
    assert wording.margin(value) == text


def test_a_mean_without_an_interval_says_why():
    assert wording.margin_interval(MarginStatistics(1, 0.5, 0.5, None)) == "one digit"
    assert wording.margin_interval(MarginStatistics(0, None, None, None)) == ""
    assert (
        wording.margin_interval(MarginStatistics(2, 0.5, 0.5, Interval(0.25, 1)))
        == "0.250 to 1.000"
    )


# ---- the folder ------------------------------------------------------------------------


def ours(folder):
    folder.mkdir()
    (folder / NUMBERS).write_text('{"schema": "relprop-demo/1"}')
    (folder / PAGE).write_text("old")
    return folder


def everything(folder):
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_go_to_a_new_folder(tmp_path):
    publish(tmp_path / "a" / "b", {PAGE: b"new"})
    assert everything(tmp_path) == {PAGE: "new"}


def test_what_an_earlier_demo_wrote_is_replaced_as_a_whole(tmp_path):
    out = ours(tmp_path / "out")
    publish(out, {NUMBERS: b"{}"})
    assert everything(tmp_path) == {NUMBERS: "{}"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    out = ours(tmp_path / "out")
    (out / "thesis.tex").write_text("years of work")
    before = everything(tmp_path)
    with pytest.raises(FileError, match="it holds files that no demo wrote"):
        publish(out, {PAGE: b"new"})
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ["[]", '{"schema": "another"}', "not JSON"])
def test_files_that_only_have_our_names_are_left_alone(tmp_path, text):
    out = ours(tmp_path / "out")
    (out / NUMBERS).write_text(text)
    with pytest.raises(FileError, match="no demo wrote"):
        check_folder(out)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(FileError, match=r"out is not a folder"):
        check_folder(tmp_path / "out" / "below")


def test_the_folder_one_stands_in_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(ours(tmp_path / "out"))
    with pytest.raises(FileError, match="the folder that this command runs in"):
        check_folder(output.Path())


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_or_ctrl_c_while_writing_leaves_what_was_there(tmp_path, monkeypatch, error):
    out = ours(tmp_path / "out")
    before = everything(tmp_path)
    whole = output.Path.write_bytes

    def fail_at_the_page(path, content):
        if path.name == PAGE:
            raise error
        return whole(path, content)

    monkeypatch.setattr(output.Path, "write_bytes", fail_at_the_page)
    with pytest.raises(type(error)):
        publish(out, {NUMBERS: b"{}", PAGE: b"new"})
    assert everything(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_error_in_the_last_step_puts_the_old_folder_back(tmp_path, monkeypatch):
    out = ours(tmp_path / "out")
    before = everything(tmp_path)
    rename = output.Path.rename

    def fail_for_the_new_one(path, target):
        if (path / PAGE).exists() and (path / PAGE).read_text() == "new":
            raise OSError("gone")
        return rename(path, target)

    monkeypatch.setattr(output.Path, "rename", fail_for_the_new_one)
    with pytest.raises(OSError, match="gone"):
        publish(out, {PAGE: b"new"})
    assert everything(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_numbers_that_are_not_finite_never_reach_a_file(demo):
    broken = replace(demo, table=replace(demo.table, q=math.nan))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(broken)
