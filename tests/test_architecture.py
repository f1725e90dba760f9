"""Imports go one way: a module imports only from floors below its own. And they are light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import relprop

PACKAGE = Path(relprop.__file__).parent

FLOORS = [
    "errors",
    "margin files extras progress live_memory streaming recorded as_given",
    "data.idx data.download heatmap architecture engine.forms engine.kinds "
    "engine.inputs engine.graph engine.ledger_plot",
    "data models engine.linear_maps engine.functional engine.reading engine.packed engine.traced "
    "engine.adjoints engine.factors engine.positions",
    "engine.attention engine.parts engine.narrowing",
    "train engine.weighted engine.capture engine.normalisation",
    "engine.sides engine.tilt",
    "engine.rules engine.shares engine.operations",
    "engine.recurrent engine.facts engine.tokens engine.channels",
    "engine.rulebook engine.layout engine.graph_document",
    "engine.rows",
    "engine.presets engine.documents",
    "engine.recipe",
    "engine.plan engine.refusals",
    "engine.planner engine.kept",
    "engine.layers",
    "engine.lowering",
    "engine.ready",
    "engine.program",
    "engine.watchers engine.diagnosis engine",
    "engine.ledger",
    "target checks notebook compiled",
    "agreement",
    "explanation making request",
    "walking",
    "running batches saving programs",
    "explain",
    "method",
    "quantus_adapter conformance",
    "evaluate.readings evaluate.removal evaluate.ranking evaluate.steps "
    "evaluate.units evaluate.filling evaluate.scores evaluate.estimates "
    "evaluate.concentration evaluate.similarity evaluate.reinitialising",
    "evaluate.superpixels evaluate.fills evaluate.imputation evaluate.deletion evaluate.curve "
    "evaluate.localisation",
    "evaluate.named_fills evaluate.passes",
    "evaluate.preparing evaluate.following",
    "evaluate.asking",
    "evaluate.relevance evaluate.measures evaluate.parameter_randomisation "
    "evaluate.target_randomisation evaluate.sensitivity evaluate.planted",
    "evaluate.curves",
    "evaluate.faithfulness",
    "evaluate",
    "summary",
    "demo",
    "compare",
    "cli",
    "__main__",
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, at any place in it."""
    package = path.relative_to(PACKAGE).parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            base = tuple(part for part in base if part)
            for alias in node.names:
                inside = ".".join((*base, alias.name))
                found = (PACKAGE / Path(*inside.split("."))).with_suffix(".py").exists()
                found = found or (PACKAGE / Path(*inside.split(".")) / "__init__.py").exists()
                names.add(inside if found else ".".join(base))
        assert not (isinstance(node, ast.Import) and any(a.name == "relprop" for a in node.names))
    return names - {""}


def floor(module: str) -> int:
    """Of the module itself, or of the package around it."""
    while module not in FLOOR_OF:
        module = module.rpartition(".")[0]
        assert module, "a module that stands on no floor"
    return FLOOR_OF[module]


FILES = [path for path in PACKAGE.rglob("*.py") if module_name(path)]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_down(path):
    name = module_name(path)
    own_package = name.split(".")[0] if floor(name) == floor(name.split(".")[0]) else None
    wrong = {
        other
        for other in imported(path)
        if floor(other) >= floor(name) and other.split(".")[0] != own_package
    }
    assert wrong == set()


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_file_is_long_or_imports_a_star(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 320
    assert "import *" not in text
    assert path.stem != "utils"


def in_a_new_interpreter(code: str) -> str:
    run = [sys.executable, "-c", code]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


HEAVY = (
    *("matplotlib", "lightning", "mlxtend", "scipy", "skimage", "pandas", "jinja2.ext"),
    *("pooch", "requests"),
)


def test_the_import_brings_torch_and_nothing_else_that_is_heavy():
    code = (
        "import sys, torch; before = set(sys.modules); import relprop; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    new = set(in_a_new_interpreter(code).split())
    assert not new & set(HEAVY)
    assert {"relprop", "safetensors"} <= new


def test_the_import_takes_little_on_top_of_torch():
    code = (
        "import time, torch; start = time.process_time(); import relprop; "
        "print(time.process_time() - start)"
    )
    assert min(float(in_a_new_interpreter(code)) for _ in range(3)) < 0.3
