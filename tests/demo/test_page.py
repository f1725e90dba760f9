"""The page: self-contained, described in words, and complete."""

from dataclasses import replace
from html.parser import HTMLParser

from relprop.demo.output import NUMBERS, PAGE, render_files
from relprop.demo.page import command, render_page
from relprop.demo.run import Settings


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_loads_nothing_from_elsewhere(files):
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


def test_every_image_has_a_description(files):
    images = [a for tag, a in Elements(files[PAGE].decode()).elements if tag == "img"]
    assert all(len(image["alt"]) > 20 for image in images)
    assert any("predicted: 0 (wrong)" in image["alt"] for image in images)


def test_the_page_has_the_numbers_the_definitions_and_the_command(files, demo):
    words = " ".join(" ".join(Elements(files[PAGE].decode()).words).split())
    assert "66.7%" in words
    assert "0.96633" in words  # the poster's
    assert "Nothing here was tuned to match" in words
    assert "the highest signed relevance for the class predicted" in words
    assert command(demo.settings) in words
    assert "a<b" in words
    assert "98.75%" in words


def test_digits_of_the_training_split_are_called_so(demo):
    trained = replace(demo, digits=replace(demo.digits, split="train"))
    warning = "The networks were trained on that split"
    assert warning in render_page(trained)
    assert warning not in render_page(demo)


def test_a_run_without_a_digit_to_show_still_has_a_page(demo):
    files = render_files(replace(demo, examples=()))
    assert "No digit of this run is classified correctly" in files[PAGE].decode()
    assert set(files) == {PAGE, NUMBERS, "rules.png", "networks.png"}


def test_the_command_repeats_every_choice():
    settings = Settings("mnist-dnn-500", None, 0.25, 7, "my data")
    assert command(settings) == (
        "relprop demo --model mnist-dnn-500 --digits all --q 0.25 --seed 7 --data-dir 'my data'"
    )


def test_the_poster_is_named_in_one_section_alone(files):
    text = files[PAGE].decode()
    before, section = text.split("<h3>Comparison with a poster</h3>")
    after = section.split("</section>", 1)[1]
    assert "poster" in section
    assert "poster" not in before + after
