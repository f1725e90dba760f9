"""The command `relprop report`."""

import pytest
from click.testing import CliRunner
from helpers import made_bundles as made

from relprop.bundles.write import write_bundle
from relprop.cli import main

SMALL = {"width": 16, "depth": 1, "dropout": 0.0}


@pytest.fixture
def folder(tmp_path):
    frame = made.table().samples.assign(animal=[made.ANIMALS[k % 3] for k in range(60)])
    frame.to_csv(tmp_path / "animals.csv", index=False)
    write_bundle(tmp_path / "bundle", made.content_of(made.table(), "mlp", **SMALL))
    return tmp_path


def report(*words):
    return CliRunner().invoke(main, ["report", *map(str, words)])


def test_the_page_is_in_the_folder_of_the_bundle_and_explains_other_data(folder):
    result = report(folder / "bundle", folder / "animals.csv", "--quiet")
    page = folder / "bundle" / "report.html"
    assert (result.exit_code, result.stdout) == (0, f"The report: {page}\n")
    assert "of 60 samples of the given part are right" in page.read_text()


def test_it_goes_to_another_folder_and_without_the_data_says_so(folder):
    result = report(folder / "bundle", "--out", folder / "new")
    assert result.exit_code == 0, result.output
    assert (folder / "new" / "report.html").exists()
    assert not (folder / "bundle" / "report.html").exists()
    assert "Nothing is explained: table.csv is not there" in result.stderr


def test_what_is_no_bundle_and_a_wrong_budget_are_bad_input(folder):
    result = report(folder / "nothing")
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    result = report(folder / "bundle", "--budget", "soon")
    assert result.exit_code == 2
    assert "a budget of 'soon'" in result.stderr


def test_what_is_being_done_is_shown_unless_it_is_to_be_quiet(folder):
    shown = report(folder / "bundle", folder / "animals.csv")
    assert "Making the report: 7 parts ...\n" in shown.stderr
    assert "Making the report: done in " in shown.stderr
    assert report(folder / "bundle", folder / "animals.csv", "--quiet").stderr == ""


def test_a_folder_that_cannot_be_written_is_refused_before_data_is_read(folder):
    (folder / "file").write_text("")
    result = report(folder / "bundle", folder / "missing.csv", "--out", folder / "file")
    assert result.exit_code == 2
    assert f"{folder / 'file'}" in result.stderr
    assert "missing.csv" not in result.stderr
