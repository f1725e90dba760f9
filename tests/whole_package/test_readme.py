"""What the README shows runs, and what it points to exists."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import relprop
from relprop.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_blocks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, names)
    printed = capsys.readouterr().out
    assert "torch.Size([8, 1, 28, 28])" in printed
    assert "plan of recipe auto: epsilon-plus-flat" in printed
    assert "z-box(low=0, high=1)" in printed
    assert "torch.Size([20, 3])" in printed
    assert re.search(r"^srg +-?0\.\d{4} \[-?0\.\d{4}, -?0\.\d{4}\]$", printed, re.MULTILINE)
    assert "cascading, 20 samples" in printed
    assert "with the mark: 1.15% of the places, 20 samples" in printed
    assert (tmp_path / "explanation.npz").exists()


def test_its_commands_exist():
    commands = set(re.findall(r"`?relprop ([a-z]+)", "\n".join([*blocks("bash"), README])))
    assert {"demo", "accuracy", "train", "compare"} <= commands & set(main.commands)
    for name in main.commands:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_its_make_targets_and_links_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README + CONTRIBUTING, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
    for path in re.findall(r"`((?:engine|tests|explain)[\w/]*\.py)`", CONTRIBUTING):
        assert (ROOT / path).exists() or (ROOT / "src/relprop" / path).exists(), path


@pytest.mark.parametrize("name", relprop.models.shipped_models())
def test_its_accuracies_are_those_of_the_cards(name):
    accuracy = relprop.models.model_card(name).accuracy
    assert re.search(rf"`{name}` \|.*\| {accuracy:.2%}".replace("%", " ?%"), README)


@pytest.mark.parametrize("preset", relprop.recipes.presets.PRESETS)
def test_its_table_names_every_preset(preset):
    assert f"`{preset}`" in README
