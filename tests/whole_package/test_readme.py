"""What the README shows runs, and what it points to exists."""

import operator
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import relprop
from relprop.cli import main

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/relprop"
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
    assert "with the artefact: mask of 1.15%, 20 samples" in printed
    assert (tmp_path / "explanation.npz").exists()


def test_the_formula_it_shows_is_that_of_the_code():
    code = (PACKAGE / "rules" / "linear.py").read_text().splitlines()
    (block,) = blocks("py")
    assert set(block.splitlines()) <= set(code)


def test_its_commands_exist():
    commands = set(re.findall(r"`?relprop ([a-z]+)", "\n".join([*blocks("bash"), README])))
    assert {"demo", "accuracy", "train", "compare"} <= commands & set(main.commands)
    for name in main.commands:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_its_make_targets_and_links_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README + CONTRIBUTING, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", README + CONTRIBUTING):
        assert (ROOT / link).exists(), link


def test_files_and_folders_that_contributors_are_sent_to_exist():
    paths = re.findall(r"`([\w/]+(?:\.py|/))`", CONTRIBUTING)
    assert len(paths) > 50
    for path in paths:
        assert (ROOT / path).exists() or (ROOT / "src/relprop" / path).exists(), path
    names = re.findall(r"`(\w+)`\s+\(`([\w/]+\.py)`", CONTRIBUTING)
    assert {"RULES", "FILLS", "GRADIENT_METHODS"} <= {name for name, _ in names}
    for name, path in names:
        assert re.search(rf"^(class )?{name}\b", (PACKAGE / path).read_text(), re.MULTILINE), name


def test_names_in_inline_code_exist():
    inline = re.findall(r"`([^`\n]+)`", README + CONTRIBUTING)
    dotted = [name for code in inline for name in re.findall(r"^relprop((?:\.\w+)+)", code)]
    dotted += [f".evaluate.{n}" for code in inline for n in re.findall(r"^evaluate\.(\w+)", code)]
    assert {".rule", ".evaluate.delete"} <= set(dotted)
    for name in dotted:
        operator.attrgetter(name[1:])(relprop)


@pytest.mark.parametrize("name", relprop.models.shipped_models())
def test_its_accuracies_are_those_of_the_cards(name):
    accuracy = relprop.models.model_card(name).accuracy
    assert re.search(rf"`{name}` \|.*\| {accuracy:.2%}".replace("%", " ?%"), README)


@pytest.mark.parametrize("preset", relprop.recipes.presets.PRESETS)
def test_its_table_names_every_preset(preset):
    assert f"`{preset}`" in README
