"""The command `relprop compare-models`."""

import json

import pytest
from click.testing import CliRunner
from helpers import made_bundles as made

from relprop.cli import main

SMALL = {"width": 16, "depth": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    return made.write_two(folder, **SMALL)


def compare(folder, *words):
    models = f"{folder / 'bundle0'},{folder / 'bundle1'}"
    call = ["compare-models", str(folder / "animals.csv"), "--models", models]
    return CliRunner().invoke(main, [*call, "--out", str(folder / "out"), *words, "--quiet"])


def test_tables_are_printed_and_a_page_and_numbers_written(folder):
    result = compare(folder, "--target", "animal")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("model ")
    assert result.stdout.endswith(f"The page: {folder / 'out' / 'comparison.html'}\n")
    numbers = compare(folder, "--target", "animal", "--json")
    written = json.loads((folder / "out" / "comparison.json").read_text())
    assert json.loads(numbers.stdout) == written
    assert [one["family"] for one in written["models"]] == ["mlp", "mlp"]


def test_a_column_that_is_not_there_is_bad_input(folder):
    result = compare(folder, "--target", "animl")
    assert result.exit_code == 2
    assert "--target animal" in result.stderr
