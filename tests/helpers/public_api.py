"""The public names of the package, and docs/api.md, which lists them.

python tests/helpers/public_api.py > docs/api.md
"""

import inspect
from importlib import import_module

MODULES = (
    "relprop",
    "relprop.evaluate",
    "relprop.models",
    "relprop.data",
    "relprop.testing",
    "relprop.integrations.quantus",
)
# Constants and types, which have no docstring.
WITHOUT_DOCSTRING = {
    "FILLS": "The fills by name.",
    "ORDERS": "The names of orders of removal.",
    "SCORES": "The scores by name.",
    "SHIPPED": "The folder of the shipped models.",
    "Model": "The type of a model: a function of a batch that returns scores.",
    "Order": "The type of an order of removal: a name of `ORDERS`, or a permutation.",
}
HEAD = """# Public names

These names are public: they stay, or a new version says what replaces them. Everything else may
change in any version, every module that has no section here included. A name has one home; where a
second module offers it, the table says so.

Errors are `RelpropError`s of `relprop.errors`. Plans, ledgers and other objects that public
functions return are documented by their classes: `help(explainer.plan(x))`.

This page is written by `python tests/helpers/public_api.py > docs/api.md` from the docstrings, and
a test compares the two. `help(relprop.Explainer)` shows arguments, errors and examples.
"""


def public_names(module: str) -> list[str]:
    """Return the public names of a module."""
    return sorted(import_module(module).__all__, key=str.casefold)


def public_object(module: str, name: str) -> object:
    """Return what a public name stands for."""
    return getattr(import_module(module), name)


def homes() -> dict[str, list[str]]:
    """Return each public name with the modules that offer it, its home last."""
    offered: dict[str, list[str]] = {}
    for module in MODULES:
        for name in public_names(module):
            offered.setdefault(name, []).append(module)
    return offered


def summary(name: str, thing: object) -> str:
    """Return the first paragraph of a docstring in one line."""
    if name in WITHOUT_DOCSTRING:
        return WITHOUT_DOCSTRING[name]
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def page() -> str:
    """Write docs/api.md."""
    parts = [HEAD]
    for module in MODULES:
        rows = ["| name | |", "|---|---|"]
        for name in public_names(module):
            home = homes()[name][-1]
            text = summary(name, public_object(module, name))
            text = text if home == module else f"The same as `{home}.{name}`."
            rows.append(f"| `{name}` | {text.replace('|', chr(92) + '|')} |")
        parts.append("\n".join([f"## `{module}`", "", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
