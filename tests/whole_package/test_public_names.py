"""Public names: listed in docs/api.md, documented, and each with one home."""

import ast
import dataclasses
import inspect
import pkgutil
import re
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from helpers.public_api import WITHOUT_DOCSTRING, homes, listed, options, page, public_object

import relprop
from relprop.explanation.options import Options

PACKAGE = Path(relprop.__file__).parent
ROOT = Path(__file__).parents[2]
HOMES = homes()
CUSTOM_RULES_TAKE = ("WeightedSum", "Traced")  # public as what they are called with

# Names that several modules of the package define, and why; type variables aside.
OWN = "the demo and comparisons have one each"
DEFINED_TWICE = {
    "EXTRAS": OWN,
    "MARKERS": OWN,
    "SCHEMA": OWN,
    "Settings": OWN,
    "curves_figure": OWN,
    "LRP": "a method as Captum has them; the name of a curve in a report",
    "LAYERS": "kinds of operations that are layers; layers that a model card can describe",
    "QUIET": "an option of commands; the progress that shows nothing",
    "accuracy": "a score; the measurement of a model; the command that prints it",
    "compare": "a command, and the function that it calls",
    "concatenate": "explanations; tensors of curves",
    "margin": "the measure; its text",
    "to_json": "of recipes, of demos, of comparisons",
    "train": "a command, and the function that it calls",
    "uniform": "a fill; a rule of products",
}


def test_the_page_lists_the_public_names():
    written = (ROOT / "docs" / "api.md").read_text()
    assert written == page(), "run: python tests/helpers/public_api.py > docs/api.md"


def test_the_page_lists_every_public_name_once():
    names = [name for _, name in listed()]
    assert sorted(names) == sorted({*HOMES, *CUSTOM_RULES_TAKE})


def test_the_page_lists_every_option_of_a_call():
    assert options().keys() == Options.__annotations__.keys()


@pytest.mark.parametrize("name", [name for name, modules in HOMES.items() if len(modules) > 1])
def test_a_name_that_two_modules_offer_is_one_object(name):
    first, *others = (public_object(module, name) for module in HOMES[name])
    assert all(other is first for other in others)


def test_no_name_hides_a_module():
    hidden = []
    for module in pkgutil.walk_packages(relprop.__path__, "relprop."):
        if not module.name.endswith("__main__"):
            package, _, name = module.name.rpartition(".")
            import_module(module.name)
            if not isinstance(getattr(import_module(package), name), types.ModuleType):
                hidden.append(module.name)
    assert hidden == []


def defined_names(path: Path) -> Iterator[str]:
    """Yield the names that a module defines at its top level, without private ones."""
    for node in ast.parse(path.read_text()).body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        names = [getattr(target, "id", "_") for target in targets]
        names = [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else names
        yield from (name for name in names if not name.startswith("_") and len(name) > 1)


def test_a_name_is_defined_in_one_module():
    modules = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for name in defined_names(path):
            modules[name].add(str(path.relative_to(PACKAGE)))
    twice = {name: sorted(paths) for name, paths in modules.items() if len(paths) > 1}
    assert {name: twice[name] for name in twice.keys() - DEFINED_TWICE.keys()} == {}
    assert DEFINED_TWICE.keys() <= twice.keys(), "take it out of DEFINED_TWICE"


# ---- docstrings ----------------------------------------------------------------------------------


def sections(docstring: str) -> dict[str, str]:
    """Split a docstring in Google style into its sections by name."""
    parts = re.split(r"^(Args|Attributes|Returns|Yields|Raises|Example):$", docstring, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(section: str) -> set[str]:
    """Return the names that a section of arguments or attributes describes."""
    lines = re.findall(r"^ {4}([\w*, ]+):", section, re.M)
    return {name.strip(" *") for line in lines for name in line.split(",")}


def parameters(function: Callable[..., object]) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self", "cls"}


def missing_in_function(function: Callable[..., object]) -> Iterator[str]:
    docstring = inspect.getdoc(function) or ""
    written = sections(docstring)
    yield from sorted(parameters(function) - described(written.get("Args", "")))
    returns = inspect.signature(function).return_annotation not in (None, "None")
    said = {"Returns", "Yields"} & written.keys() or docstring.startswith(("Return ", "Yield "))
    if returns and not said:
        yield "Returns"


def missing_in_class(kind: type) -> Iterator[str]:
    parts = sections(inspect.getdoc(kind) or "")
    written = described(parts.get("Args", "") + parts.get("Attributes", ""))
    if dataclasses.is_dataclass(kind):
        fields = {field.name for field in dataclasses.fields(kind)}
        yield from sorted(name for name in fields - written if not name.startswith("_"))
    elif "__init__" in vars(kind):
        yield from sorted(parameters(kind.__init__) - written)
    for name, member in vars(kind).items():
        method = getattr(member, "__func__", member)
        public = not name.startswith("_") or name == "__call__"
        if public and inspect.isfunction(method) and method.__module__.startswith("relprop"):
            yield from (f"{name}: {missing}" for missing in missing_in_function(method))


@pytest.mark.parametrize("name", sorted(HOMES.keys() - WITHOUT_DOCSTRING.keys()))
def test_a_public_name_is_documented(name):
    """Every argument and attribute is described, and every function has an example."""
    thing = public_object(HOMES[name][-1], name)
    if inspect.isclass(thing):
        assert list(missing_in_class(thing)) == []
    else:
        assert list(missing_in_function(thing)) == []
        assert "Example" in sections(inspect.getdoc(thing))
