"""What the README shows runs, and what README, CONTRIBUTING and docs point to exists."""

import re
import subprocess
import sys
import tomllib
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
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
# Folders that inline code names and that are not in the repository.
OUTSIDE = {"mnist/", "relprop-compare/"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def inline_code(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


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
    assert {"demo", "accuracy", "train", "compare", "explain"} <= commands & set(main.commands)
    for name in main.commands:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README + CONTRIBUTING, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@EACH_PAGE
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@EACH_PAGE
def test_files_and_folders_in_inline_code_exist(page):
    """From the root of the repository, or from src/relprop."""
    path = re.compile(r"[\w.*-]*(/[\w.*-]+)*(\.(py|md|toml|json|html|txt|cff)|/)")
    paths = {code for code in inline_code(page) if path.fullmatch(code)} - OUTSIDE
    missing = [path for path in paths if not (any(ROOT.glob(path)) or any(PACKAGE.glob(path)))]
    assert missing == []


def test_names_that_contributors_are_sent_to_exist():
    names = re.findall(r"`(\w+)`\s+\(`([\w/]+\.py)`", CONTRIBUTING)
    assert {"RULES", "FILLS", "GRADIENT_METHODS"} <= {name for name, _ in names}
    for name, path in names:
        definition = rf"^(class |def )?{name}\b"
        assert re.search(definition, (PACKAGE / path).read_text(), re.MULTILINE), name


def test_names_in_inline_code_exist():
    """After `import relprop` alone: another import could hide that a name is missing."""
    inline = [code for page in PAGES for code in inline_code(page)]
    names = {match[0] for code in inline if (match := re.match(r"relprop(\.\w+)+", code))}
    short = {match[0] for code in inline if (match := re.match(r"evaluate\.\w+", code))}
    names |= {f"relprop.{name}" for name in short}
    assert {"relprop.rule", "relprop.evaluate.delete"} <= names
    # Adapters import what imports torchvision, which conftest.py of the tests makes possible.
    adapters = {name for name in names if name.startswith("relprop.integrations.")}
    for first, of in ("import relprop", names - adapters), ("import conftest, relprop", adapters):
        code = "; ".join([first, *sorted(of)])
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "tests")


def test_its_counts_of_architectures_are_those_of_the_page():
    coverage = (ROOT / "docs/coverage.md").read_text()
    counts = re.search(
        r"Of (\d+) architectures: .* (\d+) finite, (\d+) balanced", coverage
    ).groups()
    text = " ".join(README.split())
    tried, finite, balanced = counts
    assert f"Of [{tried} architectures](docs/coverage.md)" in text
    assert f"{finite} are explained, and {balanced} of these pass" in text


def test_its_versions_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    torch_version = next(d for d in project["dependencies"] if d.startswith("torch>="))
    python, oldest = project["requires-python"][2:], torch_version.removeprefix("torch>=")
    assert f"needs Python {python} or newer and torch {oldest} or newer" in README


@pytest.mark.parametrize("name", relprop.models.shipped_models())
def test_its_accuracies_are_those_of_the_cards(name):
    accuracy = relprop.models.model_card(name).accuracy
    assert re.search(rf"`{name}` \|.*\| {accuracy:.2%}".replace("%", " ?%"), README)


@pytest.mark.parametrize("preset", relprop.recipes.presets.PRESETS)
def test_its_table_names_every_preset(preset):
    assert f"`{preset}`" in README
