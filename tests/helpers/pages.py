"""Pages in Markdown: their blocks of code, run one after the other, without a download."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a language, without their fences."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def run_blocks(page: Path) -> set[str]:
    """Run the Python blocks in one namespace, without those that need a package that is missing.

    Returns the missing packages. A block that uses what such a block defines is left out, too.
    """
    names: dict[str, object] = {}
    absent: set[str] = set()
    lost: set[str] = set()  # what blocks that were left out would have defined
    for block in blocks(page, "python"):
        missing = {name for name in imported(block) if importlib.util.find_spec(name) is None}
        if missing or read_names(block) & (lost - names.keys()):
            absent |= missing
            lost |= defined_names(block)
        else:
            exec(compile(block, page.name, "exec"), names)
    return absent


def imported(code: str) -> set[str]:
    """Return the names of the packages that a block imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def defined_names(code: str) -> set[str]:
    """Return the names that a block assigns, imports, or defines as functions and classes."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    aliases = [
        alias for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for alias in n.names
    ]
    return names | {(alias.asname or alias.name).partition(".")[0] for alias in aliases}


def read_names(code: str) -> set[str]:
    """Return the names that a block reads and does not define itself."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)} - defined_names(code)


def without_download(monkeypatch) -> None:
    """Let torchvision and timm give random weights where they would download trained ones."""
    import torchvision
    from torchvision.models._api import WeightsEnum

    def state_dict(self: WeightsEnum, *_: object, **__: object) -> dict[str, object]:
        name = type(self).__name__.removesuffix("_Weights").lower()
        return torchvision.models.get_model(name, weights=None).state_dict()

    monkeypatch.setattr(WeightsEnum, "get_state_dict", state_dict)
    if importlib.util.find_spec("timm"):
        monkeypatch.setattr("timm.models._builder.load_pretrained", lambda *_, **__: None)


def build_site(folder: Path) -> None:
    """Build the site as `make docs` does: a warning is an error."""
    options = ("--nitpicky", "--fail-on-warning", "--keep-going", "--quiet")
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
