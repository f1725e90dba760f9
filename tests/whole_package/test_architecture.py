"""Imports go one way: folder by folder down, inside a folder without circles. They are light."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import relprop

PACKAGE = Path(relprop.__file__).parent

# A folder, or a module at top level, may import from earlier lines alone, and from itself.
FLOORS = [
    "errors",
    "support",
    "plot",
    "graph",
    "capture rules data preprocess",
    "recipes models networks",
    "prepare",
    "plan training",
    "program",
    "observe",
    "explanation",
    "evaluate testing integrations bundles",
    "bundle_report",
    "demo search",
    "compare compare_models report use",
    "tuning",
    "cli",
    "__main__",
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
# Evaluation serves relevance of any source: of the explainer it knows targets, of graphs inputs.
EVALUATE_MAY_IMPORT = (
    "errors",
    "support",
    "plot",
    "evaluate",
    "explanation.targets",
    "graph.inputs",
)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


class WithoutTypes(ast.NodeTransformer):
    """Removes what is imported for annotations alone."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported(path: Path, types: bool = True) -> set[str]:
    """Modules of the package that a file imports, at any place in it."""
    package = path.relative_to(PACKAGE).parts[:-1]
    found, tree = set(), ast.parse(path.read_text())
    for node in ast.walk(tree if types else WithoutTypes().visit(tree)):
        assert not (isinstance(node, ast.Import) and any("relprop" in a.name for a in node.names))
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                inside = PACKAGE.joinpath(*filter(None, base), alias.name)
                is_module = inside.with_suffix(".py").exists() or inside.is_dir()
                found.add(".".join(filter(None, [*base, alias.name if is_module else ""])))
    return found - {""}


FILES = {module_name(path): path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE}
FILES |= {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}


@pytest.mark.parametrize("name", FILES)
def test_imports_point_down(name):
    own = name.split(".")[0]
    others = {other.split(".")[0] for other in imported(FILES[name])} - {own}
    assert {other for other in others if FLOOR[other] >= FLOOR[own]} == set()


def test_no_modules_import_each_other_in_a_circle():
    """A module may name a type of one that imports it, for an annotation."""
    imports = {name: imported(path, types=False) - {name} for name, path in FILES.items()}
    graphlib.TopologicalSorter(imports).prepare()


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("evaluate")])
def test_evaluation_knows_nothing_of_the_engine(name):
    allowed = {other for other in imported(FILES[name]) if other.startswith(EVALUATE_MAY_IMPORT)}
    assert imported(FILES[name]) == allowed


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_long_or_imports_a_star(name):
    text = FILES[name].read_text()
    assert len(text.splitlines()) <= 320
    assert "import *" not in text
    assert "utils" not in name


HEAVY = (
    *("matplotlib", "lightning", "mlxtend", "scipy", "skimage", "pandas", "jinja2.ext"),
    *("pooch", "requests"),
)


def test_the_import_brings_torch_and_nothing_else_that_is_heavy():
    code = (
        "import sys, torch; before = set(sys.modules); import relprop; "
        "print(*sorted(set(sys.modules) - before))"
    )
    run = [sys.executable, "-c", code]
    new = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert not {name.split(".")[0] for name in new} & set(HEAVY)
    own = {name for name in new if name.startswith("relprop")}
    later = ("evaluate", "demo", "compare", "cli", "integrations", "models.train", "data")
    assert {"relprop", "relprop.rules.linear"} <= own
    assert not {name for name in own if name.removeprefix("relprop.").startswith(later)}
