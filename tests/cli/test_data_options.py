"""The options about data: what they become, and what is refused."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from relprop.cli.data_options import data_options
from relprop.cli.options import SEED, Commands
from relprop.data import DataOptions


def parse(*arguments, **toml):
    """What a command is called with; `toml` stands for the options of a file."""
    seen = []

    @click.group(cls=Commands)
    def main():
        pass

    @main.command()
    @data_options
    @SEED
    @click.option("--budget", default="10m")
    def fit(**given):
        seen.append(given)

    result = CliRunner().invoke(main, ["fit", *arguments], default_map={"fit": toml})
    return seen[0] if seen else (result.exit_code, result.output)


def options(*arguments, **toml):
    return parse(*arguments, **toml)["data_options"]


def test_nothing_said_is_the_default_and_other_options_pass():
    given = parse("--budget", "1m")
    assert given == {"data_options": DataOptions(), "seed": 0, "budget": "1m"}


def test_a_name_with_a_comma_stands_in_quotes():
    assert options("--drop", '"a, b", c').drop == ("a, b", "c")
    assert options("--drop", "it's").drop == ("it's",)
    code, output = parse("--labels", '"a, b')
    assert code == 2
    assert re.search(r"--labels \"a, b\n(.|\n)*write --labels '\"one, name\",another'", output)


def test_all_options():
    line = (
        "--target income --modality table --test t.csv --drop id,name --column zip=category "
        "--column a=b=date --group house --memory 2.5GB --resize pad --seed 7"
    )
    given = parse(*line.split())
    assert given["seed"] == 7
    assert given["data_options"] == DataOptions(
        target="income",
        modality="table",
        test=Path("t.csv"),
        drop=("id", "name"),
        kinds={"zip": "category", "a=b": "date"},
        group="house",
        memory=2_500_000_000,
        resize="pad",
        seed=7,
    )
    assert options("--labels", "a, b", "--time", "day") == DataOptions(
        labels=("a", "b"), time="day"
    )


def test_options_of_a_toml_file():
    made = options(drop=["id"], columns=["zip=category"], memory="50 MB", target="income")
    kinds = {"zip": "category"}
    assert made == DataOptions(drop=("id",), kinds=kinds, memory=50_000_000, target="income")


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000000", 10**6), ("2MB", 2 * 10**6), ("1.5 gb", 15 * 10**8), ("1TB", 10**12)],
)
def test_sizes(text, size):
    assert options("--memory", text).memory == size


WRONG = {
    "a size": (["--memory", "much"], "--memory much\n.*KB, MB, GB or TB\n.*write --memory 2GB"),
    "a unit": (["--memory", "2XB"], "--memory 2XB"),
    "a kind": (["--column", "zip=categroy"], "--column zip=categroy\n.*\n.*--column zip=category"),
    "a name with a space": (["--column", "zip code"], "to do: +write --column 'zip code=category'"),
    "no kind": (["--column", "zip"], "--column zip\n.*NAME=KIND.*\n.*--column zip=category"),
    "a modality": (["--modality", "image"], "'image' is not one of 'picture', 'table'"),
    "both": (["--target", "a", "--labels", "b,c"], "the target 'a' and the labels b, c"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_an_error_of_exit_code_2(case):
    arguments, message = WRONG[case]
    code, output = parse(*arguments)
    assert code == 2
    assert re.search(message, output), output
