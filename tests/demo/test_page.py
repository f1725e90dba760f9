"""The pages: self-contained, described in words, complete, and with the numbers of the JSON."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from relprop.demo.output import render_files
from relprop.demo.page import NUMBERS, PAGE, TABLE_PAGE, command, render_page
from relprop.demo.run import Settings

PAGES = (PAGE, TABLE_PAGE)


class Elements(HTMLParser):
    """The elements of a page, its text, and what its scripts read."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.tag = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.tag = tag

    def handle_endtag(self, tag):
        self.tag = ""

    def handle_data(self, data):
        if self.tag not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere(files, page):
    parsed = Elements(files[page].decode())
    for tag, attributes in parsed.elements:
        for name in ("src", "srcset"):
            assert attributes.get(name, "data:image/png").startswith("data:image/png"), tag
    links = {a["href"] for tag, a in parsed.elements if tag == "a"}
    assert links == {*PAGES, NUMBERS} - {page}
    assert not {"link", "iframe", "base"} & {tag for tag, _ in parsed.elements}
    assert "url(" not in files[page].decode()
    assert "fetch(" not in files[page].decode()


def test_every_picture_has_a_description(files):
    images = [a for tag, a in Elements(files[PAGE].decode()).elements if tag == "img"]
    assert len(images) > 30
    assert all(image["alt"] for image in images)
    assert any("predicted 0 (wrong)" in image["alt"] for image in images)


def test_pictures_come_before_anything_else_but_the_question(files):
    parsed = Elements(files[PAGE].decode())
    tags = [tag for tag, _ in parsed.elements]
    assert "table" not in tags[: tags.index("figure")]
    first = [a for tag, a in parsed.elements if a.get("class") == "picture"][:6]
    assert [box["data-kind"] for box in first] == [
        *("digit", "map", "most", "brightest", "ink", "least")
    ]


def test_the_bars_are_the_numbers_of_the_json(files):
    record = json.loads(files[NUMBERS])
    bars = [
        attributes["title"]
        for _, attributes in Elements(files[PAGE].decode()).elements
        if attributes.get("class") == "bar"
    ]
    controls = record["controls"].values()
    untouched = dict.fromkeys(("zero", "mean"), record["untouched"])
    groups = [
        *(rule["most_relevant"] for rule in record["rules"]),
        *controls,
        record["rules"][1]["least_relevant"],
        untouched,
    ]
    rates = [group[fill]["error_rate"] for group in groups for fill in ("zero", "mean")]
    assert [bar.split(":")[0] for bar in bars] == [f"{r['count']} of {r['n']} wrong" for r in rates]


def test_the_page_says_what_the_json_says_of_the_fills(files):
    network = json.loads(files[NUMBERS])["networks"][0]
    text = Elements(files[PAGE].decode()).text
    for sentence in network["holds"]:
        assert sentence in text
    assert network["depends"] == []
    assert "both fills agree in every comparison" in text


def test_relevance_that_misses_is_not_praised(misled):
    text = Elements(render_page(misled)).text
    assert "0% of the digits are classified wrongly without the 4% of pixels most relevant" in text
    assert "no clear difference from removing the brightest pixels" in text
    assert "more errors" not in text


def test_the_page_has_the_definitions_and_the_command(files, demo):
    text = Elements(files[PAGE].decode()).text
    assert "67% wrong" in text
    assert "those of least |relevance|, which are unimportant, not opposed" in text
    assert command(demo.settings) in text
    assert "a<b" in text
    assert "98.75%" in text
    assert "95%" not in text  # no interval for twelve digits


def test_the_founding_table_has_its_source_its_definition_and_its_reasons(files):
    text = Elements(files[TABLE_PAGE].decode()).text
    assert "0.96633" in text
    assert "Carwyn Collinsworth, Gopi Sumanth Sanka and Akhil Arradi" in text
    assert "(max \N{MINUS SIGN} 2nd max) / max" in text
    assert "each rule was run on a separately trained network, with five digits" in text
    assert "Nothing here was tuned to match" in text


def test_the_poster_is_on_its_own_page_alone(files):
    assert "poster" not in files[PAGE].decode()


def test_a_model_whose_card_says_little(demo, card):
    """As `save_model` writes it of an own model: without accuracy, and without its training."""
    bare = replace(demo, cards={card.name: replace(card, accuracy=None, training="")})
    trained = replace(bare, digits=replace(bare.digits, split="train"))
    text = Elements(render_page(trained)).text
    assert text.count("not measured") == 2
    assert "trained on" not in text


def test_digits_of_the_training_split_are_called_so_once(demo):
    trained = replace(demo, digits=replace(demo.digits, split="train"))
    assert "12 training digits, which it was trained on" in Elements(render_page(trained)).text
    assert "trained on" not in Elements(render_page(demo)).text


def test_a_run_without_a_digit_to_show_still_has_its_pages(demo):
    files = render_files(replace(demo, examples=()))
    assert "No digit of this run is classified correctly" in files[PAGE].decode()
    assert set(files) == {*PAGES, NUMBERS, "rules.png", "networks.png"}


def test_the_command_repeats_every_choice():
    settings = Settings("mnist-dnn-500", None, 0.25, 7, "my data")
    assert command(settings) == (
        "relprop demo --model mnist-dnn-500 --digits all --q 0.25 --seed 7 --data-dir 'my data'"
    )
