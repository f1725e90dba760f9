"""Refusals, raised for real, with the line that each proposes; docs/refusals.md shows them.

python tests/helpers/refusals.py > docs/refusals.md
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from torch import nn

import relprop.use

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.refused_models import models


class Refusal(NamedTuple):
    """A call that is refused.

    Attributes:
        code: The call.
        line: What the error says to write.
        instead: The call, with that line as {}; "" where the advice is no code.
        x: The input, as code.
    """

    code: str
    line: str
    instead: str = ""
    x: str = "torch.rand(2, 4)"


def _of_input(model: str, x: str, line: str) -> Refusal:
    return Refusal(f"relprop.explain({model}, x)", line, f"relprop.explain({model}, {{}})", x)


def _of_target(model: str, target: str, line: str, x: str = "torch.rand(2, 4)") -> Refusal:
    named = "{}" if line.startswith("target=") else "target={}"
    code = f"relprop.explain({model}, x, target={target})"
    return Refusal(code, line, f"relprop.explain({model}, x, {named})", x)


def _of_pruning(option: str, line: str) -> Refusal:
    code = "relprop.use.prune_channels(dense, x, torch.tensor([0, 1]), {})"
    return Refusal(code.format(option), line, code)


_AUTO = 'relprop.Recipe.preset("auto")'
_GRADIENT = _AUTO + '.using(relprop.Selector(operation="atan2"), "gradient")'
_PER_INPUT = 'relprop.Explainer(model, capture="per-input")'
_PICTURES = "relprop.preprocess.Pictures(size=None, mean={mean}, std={std})(x)"
_GREY = _PICTURES.format(mean=[0.0], std=[1.0])
_COLOUR = _PICTURES.format(mean=[0.0] * 3, std=[1.0] * 3)
_DEQUANTISED = (
    'model.get_submodule("0").weight = '
    'torch.nn.Parameter(model.get_submodule("0").weight.dequantize())'
)

_CLASSES = "torch.tensor([0, 1])"  # of two samples

SECTIONS: dict[str, list[Refusal]] = {
    "Inputs that are no tensors": [
        _of_input("dense", "numpy.ones((2, 4))", "torch.as_tensor(x, dtype=torch.float32)"),
        _of_input("colour", "picture", _COLOUR),
        _of_input("grey", "[picture, picture]", _GREY),
        _of_input("grey", 'PIL.Image.new("L", (8, 8), 9)', _GREY),
        _of_input("colour", 'PIL.Image.new("RGB", (8, 8), "red")', _COLOUR),
        _of_input(
            "dense",
            'pandas.DataFrame({"a": [1, 2], "b": [0.5, 3], "c": ["red", "blue"]})',
            'torch.tensor(pandas.get_dummies(x).to_numpy(dtype="float32"))',
        ),
        _of_input(
            "dense",
            'polars.DataFrame({"a": [1, 2], "b": [0.5, 3], "c": ["red", "blue"]})',
            "torch.tensor(x.to_dummies(['c']).to_numpy(), dtype=torch.float32)",
        ),
        _of_input(
            "dense",
            '{"a": 1, "b": 2.0, "c": 3, "d": 4.5}',
            "torch.tensor([list(x.values())], dtype=torch.float32)",
        ),
        _of_input(
            "text",
            '{"input": [[1, 2], [3, 0]], "label": [0, 1]}',
            "{k: torch.tensor(x[k]) for k in ['input']}",
        ),
        _of_input("dense", "[[1.0, 2.0, 3.0, 4.0]]", "torch.tensor(x)"),
        _of_input("dense", "[torch.rand(4), torch.rand(4)]", "torch.stack(x)"),
        _of_input("grey", "[torch.rand(1, 8, 8), torch.rand(1, 8, 8)]", "torch.stack(x)"),
        _of_input("grey", "[torch.rand(5, 1, 8, 8)]", "x[0]"),
        _of_input("grey", "[torch.rand(5, 1, 8, 8), torch.arange(5)]", "x[0]"),
        _of_input("grey", "(torch.rand(5, 1, 8, 8), torch.arange(5))", "x[0]"),
        Refusal(
            "relprop.Explainer(dense)(x)",
            "explainer.map(x)",
            "next(relprop.Explainer(dense).map(x, progress=False))",
            "torch.utils.data.DataLoader(torch.rand(6, 4), batch_size=3)",
        ),
        _of_input("two", "[torch.rand(2, 4), torch.rand(2, 4)]", "tuple(x)"),
        Refusal("relprop.explain(text, x)", "tokenizer(x", x='"a film"'),
    ],
    "Inputs of another shape or dtype": [
        _of_input("grey", "torch.rand(1, 8, 8)", "x[None]"),
        _of_input("colour", "torch.rand(3, 8, 8)", "x[None]"),
        _of_input("grey", "torch.rand(5, 8, 8)", "x[:, None]"),
        _of_input("colour", "torch.rand(2, 8, 8, 3)", "x.movedim(-1, 1)"),
        _of_input("dense", "torch.rand(4)", "x[None]"),
        _of_input("dense", "torch.rand(2, 2, 2)", "x.flatten(1)"),
        _of_input("dense", "torch.ones(2, 4).long()", "x.float()"),
        _of_input("grey", "torch.randint(256, (2, 1, 8, 8)).byte()", "x.float() / 255"),
        _of_input("text", "torch.ones(2, 2)", "x.long()"),
        _of_input("text", "torch.ones(2, 2).byte()", "x.long()"),
        _of_input("dense", "torch.rand(2, 4).double()", "x.to(torch.float32)"),
        _of_input("recurrent", "torch.rand(5, 4)", "x[None]"),
        _of_input("dense", "torch.rand(2, 4).to_sparse()", "x.to_dense()"),
        _of_input("dense", "torch.rand(2, 4) / 0", "x.nan_to_num()"),
        _of_input(
            "recurrent",
            "torch.nested.nested_tensor([torch.rand(3, 4), torch.rand(2, 4)], layout=torch.jagged)",
            "torch.nested.to_padded_tensor(x, 0.0)",
        ),
        Refusal("relprop.explain(dense, x)", "give at least one sample", x="torch.rand(0, 4)"),
    ],
    "Targets": [
        _of_target("dense", '"predict"', '"predicted"'),
        _of_target("dense", '"2"', "target=2"),
        _of_target("dense", "range(2)", "target=torch.tensor([*range(0, 2)])"),
        Refusal(
            "relprop.explain(dense, x, target=target)",
            "target=target.argmax(1)",
            "relprop.explain(dense, x, {})",
        ),
        _of_target("sequence", "1", "target=relprop.at(-1, 1)", "torch.rand(2, 6, 4)"),
        _of_target("sequence", "relprop.at(3)", "target=relprop.at(-1, 3)", "torch.rand(2, 6, 4)"),
        _of_target(
            "dense",
            "lambda output: output[1]",
            "lambda output: output[:, 0]",
            "torch.rand(3, 4)",
        ),
        _of_target("one_unit", '"runner-up"', "target=lambda scores: -scores.flatten().abs()"),
    ],
    "Options": [
        Refusal(
            "relprop.explain(two, x, explain=[x[0], x[1]])",
            'explain=("left", "right")',
            "relprop.explain(two, x, {})",
            "(torch.rand(2, 4), torch.rand(2, 4))",
        ),
        Refusal(
            'relprop.explain(dense, x, capture="per-input")',
            "relprop.Explainer(model, capture='per-input')(x)",
            "{}",
        ),
        Refusal(
            'relprop.Explainer(dense)(x, recipe="epsilon")',
            'relprop.Explainer(model, "epsilon")(x)',
            "{}",
        ),
        Refusal(
            'relprop.explain(dense, x, "epsilon", gamma=0.1)',
            'relprop.Explainer(model, relprop.Recipe.preset("gamma", gamma=0.1))(x)',
            "{}",
        ),
        Refusal("relprop.explain(dense, x, 2)", "relprop.Explainer(model)(x, target=2)", "{}"),
        Refusal("relprop.explain(dense, x, label=2)", "target=2", "relprop.explain(dense, x, {})"),
        Refusal(
            "relprop.explain(dense, x, layers=[dense[0]])",
            'layers=["0"]',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'relprop.explain(dense, x, conditions=("0", [0, 1, 2, 3]))',
            'conditions={"0": [0, 1, 2, 3]}',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'relprop.explain(grey, x, conditions={"0": mask})',
            'conditions={"0": mask.nonzero().flatten().tolist()}',
            "relprop.explain(grey, x, {})",
            "torch.rand(2, 1, 8, 8)",
        ),
        Refusal(
            "relprop.explain(dense, x, batchsize=1)",
            "batch_size",
            "relprop.explain(dense, x, {}=1)",
        ),
        Refusal(
            "next(relprop.Explainer(dense).map([x], bucket_size=8))",
            "explainer.map((x[None] for x in samples), bucket_size=8)",
            x="torch.rand(3, 4)",
        ),
        Refusal(
            'relprop.Explainer(dense).map([x], mask="mask")',
            "bucket_size=8",
            "next(relprop.Explainer(dense).map([x[:1]], {}, progress=False))",
        ),
        Refusal(
            'relprop.explain(dense, x, initial="two")',
            'initial="score"',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'relprop.explain(dense, x, layers="0")',
            'layers=["0"]',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            "relprop.explain(dense, x, memory=1e9)",
            "memory=1_000_000_000",
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            "relprop.explain(outputs, x)",
            "Explainer(model, output='a')",
            "relprop.{}(x)",
        ),
    ],
    "Recipes": [
        Refusal(
            'relprop.explain(dense, x, "epsilon-plus-flt")',
            '"epsilon-plus-flat"',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'relprop.explain(dense, x, "flat")',
            '"epsilon-plus-flat"',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'relprop.explain(grey, x, "epsilon-gamma-box")',
            'relprop.Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0)',
            "relprop.explain(grey, x, {})",
            "torch.rand(2, 1, 8, 8)",
        ),
        Refusal(
            'recipe.using(torch.nn.Linear, "gamma", gamma=0.1)',
            'recipe.using(relprop.Selector(type="Linear"), "gamma", gamma=0.1)',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'recipe.using(["0", "2"], "gamma")',
            'recipe.using("0", "gamma").using("2", "gamma")',
            "relprop.explain(dense, x, {})",
        ),
        Refusal(
            'relprop.explain(dense, x, recipe.using("Linear", "gamma"))',
            'relprop.Selector(type="Linear")',
            'relprop.explain(dense, x, recipe.using({}, "gamma"))',
        ),
        Refusal(
            'relprop.Recipe.preset("gamma", gamma=-1)',
            "gamma=1",
            'relprop.Recipe.preset("gamma", {})',
        ),
        Refusal(
            'relprop.explain(dense, x, relprop.Recipe.preset("auto").using("4", "gamma"))',
            "name one of these",
        ),
        Refusal("relprop.explain(angle, x)", _GRADIENT, "relprop.explain(angle, x, {})"),
        Refusal(
            "relprop.explain(projected, x)",
            _AUTO + '.using("0", "gradient")',
            "relprop.explain(projected, x, {}, relprop.at(-1, 0))",
            "torch.rand(2, 5, 4)",
        ),
    ],
    "Models": [
        Refusal(
            'relprop.explain("mnist-cnn", x)',
            'relprop.load_model("mnist-cnn")',
            "relprop.explain({}, x)",
            "torch.rand(2, 1, 28, 28)",
        ),
        Refusal(
            "relprop.explain(x, dense)", "relprop.explain(model, x)", "relprop.explain(dense, x)"
        ),
        Refusal(
            "relprop.explain(length_first, x)",
            "torch.nn.LSTM(..., batch_first=True)",
            x="torch.rand(2, 5, 4)",
        ),
        Refusal(
            "relprop.explain(encoder, x)",
            "torch.nn.TransformerEncoderLayer(..., batch_first=True)",
            x="torch.rand(2, 5, 4)",
        ),
        Refusal("relprop.explain(branches, x)", _PER_INPUT, "{}(x)"),
        Refusal("relprop.explain(positions, x)", _PER_INPUT, "{}(x)"),
        Refusal("relprop.explain(mixing, x)", "give samples one at a time"),
        Refusal("relprop.explain(training, x)", "model.eval()", "relprop.explain({}, x)"),
        Refusal(
            "relprop.explain(pooled, x)",
            'model.set_submodule("1", torch.nn.AdaptiveMaxPool2d((3, 3)))',
            "relprop.explain([{}, model][1], x)",
            "torch.rand(2, 1, 8, 8)",
        ),
        Refusal("relprop.explain(traced, x)", "give the model that was traced"),
        Refusal("relprop.explain(quantised, x)", _DEQUANTISED),
        Refusal("relprop.explain(patched, x)", 'relprop.Explainer(model, "attnlrp")'),
        Refusal('relprop.Explainer(dense).save("dense.plans")', "explainer.plan(x)", "{}"),
    ],
    "Relevance in training, and features": [
        Refusal(
            f"relprop.use.RelevancePenalty(dense)(x, {_CLASSES}, torch.ones(2, 3).bool())",
            "mask of shape (4,)",
        ),
        Refusal(
            f"relprop.use.RelevancePenalty(grey)(x, {_CLASSES}, torch.ones(2, 8, 8).bool())",
            "mask[:, None]",
            x="torch.rand(2, 1, 8, 8)",
        ),
        Refusal(
            f"relprop.use.RelevancePenalty(dense)(x, {_CLASSES}, numpy.ones(4))",
            "torch.as_tensor(mask).bool()",
        ),
        Refusal(
            "relprop.use.RelevanceDrop(share=25)", "share=0.25", "relprop.use.RelevanceDrop({})"
        ),
        Refusal(
            f"relprop.use.RelevanceDrop(share=0.01, block=1)(dense, x, {_CLASSES})",
            "share=0.25",
            f"relprop.use.RelevanceDrop({{}}, block=1)(dense, x, {_CLASSES})",
        ),
        Refusal(
            "relprop.use.RelevanceMix(classes=1)", "classes=10", "relprop.use.RelevanceMix({})"
        ),
        Refusal(
            "relprop.use.RelevanceSelector(k=9, folds=2).fit(x, numpy.arange(8) % 2)",
            "k=8",
            "relprop.use.RelevanceSelector({}, folds=2).fit(x, numpy.arange(8) % 2)",
            "numpy.eye(8)",
        ),
        Refusal(
            "relprop.use.RelevanceSelector(k=2).fit(x, numpy.zeros(8))",
            "give another y",
            x="numpy.eye(8)",
        ),
        Refusal(
            "relprop.use.accuracy_over_k(x, numpy.arange(8) % 2, [])", "ks=[2, 5]", x="numpy.eye(8)"
        ),
    ],
    "Pruning": [
        _of_pruning("sparsity=1.0", "sparsity=0.5"),
        _of_pruning("heads=0.5", "heads=0"),
        _of_pruning("rounds=0", "rounds=5"),
        Refusal(
            "relprop.use.prune_channels(dense, x, torch.tensor([1, 1]))",
            "pass samples of every class that the model tells apart",
        ),
        Refusal("relprop.use.prune_channels(tied, x, torch.tensor([0, 1]))", "prune another model"),
    ],
}
HEAD = """# What is refused, and what to write

An error says what was given, what is allowed, and what to do. These are raised by the calls shown;
a test raises each, and runs the line that it says to write. The models are small ones: `dense`
takes (batch, 4), `grey` and `colour` pictures with one and three channels, `two` a pair of inputs,
`text` token ids, `recurrent` an LSTM's (batch, length, 4). The others are named after what is
refused. `picture` is the path of one, `recipe` the preset "epsilon", `target` rows that are
one-hot, `mask` a boolean for each of two channels.

Written by `python tests/helpers/refusals.py > docs/refusals.md`.
"""


def namespace(refusal: Refusal, folder: str) -> dict[str, Any]:
    """Return the names that a call uses, among them a fresh copy of each model."""
    import pandas
    import PIL.Image
    import polars

    torch.manual_seed(0)
    picture = str(Path(folder) / "digit.png")
    PIL.Image.new("RGB", (8, 8)).save(picture)
    packages = {
        "numpy": numpy,
        "pandas": pandas,
        "polars": polars,
        "PIL": PIL,
        "relprop": relprop,
        "torch": torch,
    }
    names = {**packages, **vars(models()), "picture": picture}
    names["x"] = eval(refusal.x, names)
    names["target"] = torch.eye(3)[[1, 2]]  # one-hot rows
    names["mask"] = torch.tensor([True, False])  # of channels
    names["recipe"] = relprop.Recipe.preset("epsilon")
    used = refusal.code.partition("(")[2].partition(",")[0].partition(")")[0]
    if isinstance(names.get(used), nn.Module):
        names["model"] = names[used]
        names["explainer"] = relprop.Explainer(nn.Linear(4, 3).eval())
    return names


# What was raised before, so that the page need not capture each model again.
_RAISED: dict[Refusal, relprop.RelpropError] = {}


def raised(refusal: Refusal, names: dict[str, Any]) -> relprop.RelpropError:
    """Make a call, and return its error."""
    try:
        eval(refusal.code, names)
    except relprop.RelpropError as error:
        _RAISED[refusal] = error
        return error
    raise AssertionError(f"{refusal.code} is not refused")


def run_instead(refusal: Refusal, names: dict[str, Any]) -> Any:
    """Run the call with the line that the error says to write."""
    if " = " in refusal.line:
        exec(refusal.line, names)
        return eval(refusal.code, names)
    return eval(refusal.instead.format(refusal.line), names)


def page() -> str:
    """Write docs/refusals.md."""
    parts = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for title, refusals in SECTIONS.items():
            parts += [f"## {title}\n", "| call | given | allowed | to do |", "|---|---|---|---|"]
            for refusal in refusals:
                error = _RAISED.get(refusal) or raised(refusal, namespace(refusal, folder))
                shown = "" if refusal.x == Refusal("", "").x else f"<br>`x = {refusal.x}`"
                texts = " | ".join(map(escaped, (error.given, error.allowed, error.todo)))
                parts.append(f"| `{refusal.code}`{shown} | {texts} |")
            parts.append("")
    return "\n".join(parts)


def escaped(text: str) -> str:
    """Write a text in a cell of a table."""
    for character in "|*_<":
        text = text.replace(character, "\\" + character)
    return text


if __name__ == "__main__":
    print(page(), end="")
