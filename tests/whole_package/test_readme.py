"""What README, CONTRIBUTING and docs point to exists, and their tables are complete."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.pages import DOCS, ROOT, blocks

import relprop
from relprop.cli import main

PACKAGE = ROOT / "src/relprop"
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
# Folders that inline code names and that are not in the repository.
OUTSIDE = {"mnist/", "relprop-compare/"}


def inline_code(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def test_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_the_formula_that_a_page_shows_is_that_of_the_code():
    code = (PACKAGE / "rules" / "linear.py").read_text().splitlines()
    (block,) = blocks(DOCS / "own-rule.md", "py")
    assert set(block.splitlines()) <= set(code)


def test_its_commands_exist():
    texts = [page.read_text() for page in PAGES]
    commands = set(re.findall(r"(?:^|`)relprop ([a-z]+)", "\n".join(texts), re.MULTILINE))
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
        file = next(home / path for home in (PACKAGE, ROOT) if (home / path).exists())
        assert re.search(definition, file.read_text(), re.MULTILINE), name


@pytest.mark.slow
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
    for text in (README, (DOCS / "start.md").read_text()):
        assert f"needs Python {python} or newer and torch {oldest} or newer" in text


@pytest.mark.parametrize("name", relprop.models.shipped_models())
def test_the_accuracies_of_the_page_are_those_of_the_cards(name):
    page = (DOCS / "models.md").read_text()
    accuracy = relprop.models.model_card(name).accuracy
    assert re.search(rf"`{name}` \|.*\| {accuracy:.2%}".replace("%", " ?%"), page)


@pytest.mark.parametrize("preset", relprop.recipes.presets.PRESETS)
def test_the_table_of_presets_names_every_one(preset):
    table = (DOCS / "recipes.md").read_text().partition("## Presets")[2].partition("\n## ")[0]
    assert f"`{preset}`" in table


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"].keys() - {"test", "bench", "lxt", "dev"}


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_table_of_extras_names_every_one(extra):
    assert f"| `{extra}` |" in (DOCS / "start.md").read_text()
