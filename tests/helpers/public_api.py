"""The public names of the package, and docs/api.md, which lists them by what they are.

python tests/helpers/public_api.py > docs/api.md
"""

import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

MODULES = (
    "relprop",
    "relprop.errors",
    "relprop.evaluate",
    "relprop.models",
    "relprop.data",
    "relprop.preprocess",
    "relprop.testing",
    "relprop.integrations.captum",
    "relprop.integrations.lightning",
    "relprop.integrations.quantus",
    "relprop.integrations.sklearn",
    "relprop.use",
)


class Section(NamedTuple):
    """A heading of the page, and the names under it: of `module`, unless they have dots."""

    title: str
    module: str
    names: str


SECTIONS = (
    Section(
        "## Explain",
        "relprop",
        "explain Explainer Explanation MapGrid overall_importance at Method margin",
    ),
    Section(
        "## Rules and recipes",
        "relprop",
        "Recipe Selector rule check_rule Back "
        "relprop.rules.layer.WeightedSum relprop.rules.autodiff.Traced",
    ),
    Section(
        "## Errors",
        "relprop.errors",
        "RelpropError InputError CaptureError PlanError NumberError RuleError FileError "
        "MissingExtraError DroppedPathWarning UnreadSoftmaxWarning AmplificationWarning "
        "VanishingWarning",
    ),
    Section(
        "## Models",
        "relprop.models",
        "load_model save_model shipped_models SHIPPED model_card ModelCard",
    ),
    Section("## Tuning the rules", "relprop", "tune TunedRecipe"),
    Section("## From data to a model", "relprop", "fit load Bundle"),
    Section(
        "## Selecting features",
        "relprop.use",
        "select_features RelevanceSelector FeatureRanking accuracy_over_k AccuracyOverK",
    ),
    Section(
        "## Training with relevance",
        "relprop.use",
        "RelevanceDrop RelevanceDropCallback RelevanceMix RelevancePenalty",
    ),
    Section(
        "## Pruning, and how layers are used",
        "relprop.use",
        "prune_channels finetune PrunedModel PrunedLayer ModelSize utilisation Utilisation "
        "LayerUse",
    ),
    Section(
        "## Data",
        "relprop.data",
        "read_dataset DataOptions Dataset DataTarget Finding find_digits load_digits "
        "packaged_digits first_digits Digits",
    ),
    Section(
        "## Pictures as a model takes them",
        "relprop.preprocess",
        "Pictures from_timm from_torchvision from_transformers read_picture",
    ),
    Section(
        "## Evaluate\n\n### Feature removal",
        "relprop.evaluate",
        "removal_curves removal_curve plot_curves remove_units ranking ORDERS SCORES predict Order "
        "Model",
    ),
    Section(
        "### What replaces removed features",
        "relprop.evaluate",
        "FILLS constant mean sample_mean mode uniform gaussian blur neighbours marginal baseline "
        "before_normalisation delete hide",
    ),
    Section(
        "### What is removed together",
        "relprop.evaluate",
        "pixels patches superpixels entries columns tokens windows grouped",
    ),
    Section(
        "### Measures of removal curves",
        "relprop.evaluate",
        "faithfulness faithfulness_by_method srg abpc aopc error_rate margin_drop "
        "classification_summary",
    ),
    Section(
        "### Measures of relevance maps",
        "relprop.evaluate",
        "similarity localisation sparseness complexity",
    ),
    Section(
        "### Sanity checks",
        "relprop.evaluate",
        "parameter_randomisation target_randomisation sensitivity planted_artefact",
    ),
    Section(
        "### Statistics",
        "relprop.evaluate",
        "bootstrap_mean bootstrap_means paired_test paired_tests",
    ),
    Section(
        "### Records that these take and return",
        "relprop.evaluate",
        "RemovalCurve MethodCurves RemovalCurves Faithfulness ClassificationSummary "
        "MarginStatistics Proportion Predictions Fill Deletion Units Similarity Localisation "
        "ParameterRandomisation TargetRandomisation Sensitivity PlantedArtefact Estimate Interval "
        "PairedTest",
    ),
    Section("## Captum", "relprop.integrations.captum", "LRP"),
    Section("## Lightning", "relprop.integrations.lightning", "LogExplanations"),
    Section("## Quantus", "relprop.integrations.quantus", "ExplainFunc"),
    Section("## scikit-learn", "relprop.integrations.sklearn", "relevance_importance"),
)
# Classes whose attributes and methods are listed, too.
WITH_MEMBERS = (
    *("Explainer", "Explanation", "MapGrid", "Method", "Recipe", "Back", "WeightedSum", "Traced"),
    *("LRP", "Bundle", "FeatureRanking", "TunedRecipe"),
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
change in any version. `help` shows the arguments, errors and examples of each, as
`help(relprop.Explainer)`. Plans, ledgers and other objects that public functions return are
documented by their classes: `help(explainer.plan(x))`.

This page is written by `python tests/helpers/public_api.py > docs/api.md` from the docstrings, and
a test compares the two.
"""
OPTIONS = """### Options of a call

Of `explain`, a call of an `Explainer`, and `Explainer.map`:
"""
TABLE = "| name | |\n|---|---|"


def public_names(module: str) -> list[str]:
    """Return the public names of a module; of the errors, all classes that are raised."""
    if module == "relprop.errors":
        names = [name for name, thing in vars(import_module(module)).items() if is_error(thing)]
    else:
        names = import_module(module).__all__
    return sorted(names, key=str.casefold)


def is_error(thing: object) -> bool:
    """Tell whether it is a class of errors."""
    return inspect.isclass(thing) and issubclass(thing, Exception)


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


def listed() -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each row but those of members."""
    for section in SECTIONS:
        for name in section.names.split():
            module, _, short = name.rpartition(".")
            yield module or section.module, short


def first_paragraph(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0]


def row(label: str, text: str) -> str:
    """Write a row of a table; the text may have line breaks."""
    return f"| `{label}` | {' '.join(text.split()).replace('|', chr(92) + '|')} |"


def rows(module: str, name: str, label: str) -> Iterator[str]:
    """Yield the row of a name, and of a class those of its members."""
    thing = public_object(module, name)
    text = WITHOUT_DOCSTRING.get(name) or first_paragraph(thing)
    others = [other for other in homes().get(name, []) if other != module]
    yield row(label, text + "".join(f" Also `{other}.{name}`." for other in others))
    if name in WITH_MEMBERS:
        assert isinstance(thing, type)
        yield from (row(f"{name}{member}", text) for member, text in members(thing).items())


def members(kind: type) -> dict[str, str]:
    """Return attributes, properties and methods of a class, as one writes them, and their texts."""
    texts = {
        f".{name}": text
        for name, text in described(inspect.getdoc(kind) or "", "Attributes").items()
    }
    for name, member in vars(kind).items():
        if name.startswith("_") and name != "__call__":
            continue
        function = getattr(member, "__func__", getattr(member, "func", member))
        if inspect.isfunction(function):
            call = f"({', '.join(arguments(function))})" if not hasattr(member, "func") else ""
            texts[f"{'' if name == '__call__' else '.' + name}{call}"] = first_paragraph(member)
        elif isinstance(member, property):
            texts[f".{name}"] = first_paragraph(member)
    return texts


def arguments(function: object) -> Iterator[str]:
    """Yield the arguments of a method, as a call names them."""
    for name, parameter in inspect.signature(function).parameters.items():  # type: ignore[arg-type]
        if name not in ("self", "cls"):
            stars = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}
            yield stars.get(parameter.kind, "") + name


def described(docstring: str, section: str) -> dict[str, str]:
    """Return the entries of a section of a docstring in Google style: name -> text."""
    text = re.split(r"^(\w+):$", docstring, flags=re.M)
    sections = dict(zip(text[1::2], text[2::2], strict=True))
    entries = re.findall(
        r"^ {4}([\w*]+): ((?:.|\n\n? {8})*)", sections.get(section, ""), flags=re.M
    )
    return dict(entries)


def options() -> dict[str, str]:
    """Return the options of a call, as the docstring of the call describes them."""
    from relprop import Explainer

    text = described(inspect.getdoc(Explainer.__call__) or "", "Args")["**options"]
    return dict(re.findall(r"- (\w+): ((?:.|\n {10})*)", text))


def page() -> str:
    """Write docs/api.md."""
    parts = [HEAD]
    for section in SECTIONS:
        parts.append(f"{section.title}\n")
        if section.title.startswith("## "):
            parts.append(f"In `{section.module}`:\n")
        parts.append(TABLE)
        for name in section.names.split():
            module, _, short = name.rpartition(".")
            parts += rows(module or section.module, short, name)
        parts.append("")
        if section.title == "## Explain":
            parts += [OPTIONS, TABLE, *(row(name, text) for name, text in options().items()), ""]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # not this folder, which has a tokenizers.py
    import_module("conftest")  # lets torchvision be imported, which Lightning does
    print(page(), end="")
