"""The site: `make docs` builds it from the Markdown pages of this folder, and from docstrings.

The pages of the reference are written here for each build, from the list of public names in
tests/helpers/public_api.py. The site loads nothing from elsewhere.
"""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
REFERENCE = DOCS / "reference"  # ignored by git
sys.path[:0] = [str(DOCS.parent / "src"), str(DOCS.parent / "tests")]

import conftest  # noqa: E402, F401  # lets torchvision be imported, which Lightning does
from helpers.public_api import (  # noqa: E402
    SECTIONS,
    WITHOUT_DOCSTRING,
    is_error,
    public_object,
)

import relprop  # noqa: E402

project = "relprop"
version = release = relprop.__version__
copyright = "The relprop developers"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
nitpick_ignore_regex = [
    # Types of other libraries, whose pages a build without network cannot ask for.
    (r"py:.*", r"(?!relprop\.).*"),
    # Records inside the package that public functions return: print them to read them.
    (r"py:class", r"relprop\.(?!errors).*"),
]

# ---- Markdown ------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # a page may start a section at any depth

# ---- docstrings ----------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"  # of single backticks

# ---- looks ---------------------------------------------------------------------------------------

html_theme = "furo"
html_title = "relprop"
html_favicon = "static/icon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def escape(app, what, name, thing, options, lines):
    """Escape what docstrings mean literally, such as (n, *features) and |R|, and not as markup."""
    code = False
    for i, line in enumerate(lines):
        code = line.lstrip().startswith(">>>") or (code and bool(line.strip()))
        if not code and not line.lstrip().startswith("*"):
            parts = line.split("`")  # every other one is code
            parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
            lines[i] = "`".join(parts)


def join_types(app, what, name, thing, options, lines):
    """Undo what napoleon takes for a type: the words before a colon, as in "A Plan: every ...".

    Types are in the signatures.
    """
    for i in reversed(range(len(lines))):
        found = re.fullmatch(r"(\s*):(rtype|type): (.*)", lines[i])
        if not found:
            continue
        first = 0 if found[2] == "type" else next(k for k in range(i) if ":returns:" in lines[k])
        start = "" if found[2] == "type" else f"{found[1]}:returns: "
        lines[first] = f"{start}{found[3]}: {lines[first].removeprefix(start)}"
        del lines[i]


def short_default(app, what, name, thing, options, signature, returns):
    """Let Sphinx read a signature with a default that is created at each call."""
    if signature and "<factory>" in signature:
        return signature.replace("<factory>", "..."), returns
    return None


def setup(app):
    """Connect what changes docstrings, before and after napoleon reads them."""
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-process-docstring", join_types, priority=600)
    app.connect("autodoc-process-signature", short_default)


def slug(title: str) -> str:
    """Return the name of the page of a section of public names."""
    return re.sub(r"\W+", "-", title.split("#")[-1].strip().lower())


def directive(module: str, name: str) -> str:
    """Return the lines that document a public name from its docstring."""
    if name in WITHOUT_DOCSTRING:
        return f".. py:data:: {module}.{name}\n\n   {WITHOUT_DOCSTRING[name]}\n"
    thing = public_object(module, name)
    if not isinstance(thing, type):
        return f".. autofunction:: {module}.{name}\n"
    return f".. autoclass:: {module}.{name}\n" + (
        "" if is_error(thing) else "   :members:\n   :special-members: __call__\n"
    )


def reference_pages() -> dict[str, str]:
    """Return the pages of the reference by file: one for each section of public names."""
    pages = {}
    for section in SECTIONS:
        title = section.title.split("#")[-1].strip()
        entries = []
        for name in section.names.split():
            module, _, short = name.rpartition(".")
            entries.append(directive(module or section.module, short))
        text = f"# {title}\n\n```{{eval-rst}}\n" + "\n".join(entries) + "```\n"
        pages[f"{slug(section.title)}.md"] = text
    listed = "\n".join(page.removesuffix(".md") for page in pages)
    pages["index.md"] = (
        "# API reference\n\nWhat is public, from the docstrings. "
        f"[A list on one page](../api.md).\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return pages


def write_reference() -> None:
    """Write the pages that changed, since another build may be reading them; drop old ones."""
    REFERENCE.mkdir(exist_ok=True)
    pages = reference_pages()
    for path in REFERENCE.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = REFERENCE / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


write_reference()
