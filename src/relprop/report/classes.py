"""Names of classes: from the user, the model or the data, and what a label stands for.

Takes names and labels. Gives names, or an error. Must not know how samples are read.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..explanation.result import Explanation
from ..support.arguments import suggest


def class_count(explanation: Explanation) -> int:
    """Count the classes of a model: 2 for one unit with a probability, 0 for a regression."""
    output = explanation.output
    if output.ndim == 2 and output.shape[1] > 1:
        return output.shape[1]
    return 2 if explanation.prediction is not None else 0


class Probability(nn.Module):
    """A classifier whose one unit is a logit, with its sigmoid; names of modules get "model."."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return the probability of the second class."""
        return torch.sigmoid(self.model(x))


def is_logit(explanation: Explanation, given: Sequence[str], labels: Sequence[str]) -> bool:
    """Tell whether one unit without a known meaning is the logit of the second of two classes.

    It is where the user named two classes, and where labels are two, and words or 0 and 1; other
    numbers are those of a regression.

    Args:
        explanation: Of a sample.
        given: Names that the user gave.
        labels: Labels of the data, sorted.
    """
    if explanation.output.numel() != 1 or class_count(explanation):
        return False
    words = not all(is_number(label) for label in labels)
    return len(given or labels) == 2 and (bool(given) or words or set(labels) == {"0", "1"})


def is_number(text: str) -> bool:
    """Tell whether a label or the name of a column is a number."""
    return text.replace(".", "", 1).lstrip("-").isdigit()


def ordered_labels(labels: Iterable[str | None]) -> list[str]:
    """List the labels of a table or of texts once each: numbers by size, words by letters."""
    known = {label for label in labels if label is not None}
    return sorted(known, key=float) if all(map(is_number, known)) else sorted(known)


def choose_names(
    given: Sequence[str], model: Sequence[str], labels: Sequence[str], count: int
) -> tuple[tuple[str, ...], str]:
    """Choose the names of the classes, and say where they are from.

    Args:
        given: Names that the user gave.
        model: Names that the model has.
        labels: Labels of the data, in their order, as torchvision's ImageFolder numbers folders.
        count: How many classes there are.

    Raises:
        InputError: The user gave as many names as not.
    """
    if given and len(given) != count:
        raise InputError(
            f"{len(given)} names of classes for a model with {count} classes",
            f"{count} names, one in each line, in the order of the model's outputs",
            "complete the file of --classes, or leave it out",
        )
    sources = {
        "of --classes": given,
        "of the model": model,
        "the labels of the data in their order; --classes overrides it": labels,
    }
    for source, names in sources.items():
        if len(names) == count:
            return tuple(names), source
    return tuple(str(k) for k in range(count)), "numbers; --classes names them"


def unknown_labels(labels: Iterable[str | None], names: Sequence[str]) -> list[str]:
    """List the labels that are no class, by name or number."""
    return [one for one in ordered_labels(labels) if name_of(one, names) not in names]


def name_of(label: str | None, names: Sequence[str]) -> str | None:
    """Return the class that a label stands for: by its name, or its number."""
    if label is None or label in names:
        return label
    whole = label.removesuffix(".0")
    return names[int(whole)] if whole.isdigit() and int(whole) < len(names) else label


def target_of(
    explain: str, labels: Sequence[str | None], names: Sequence[str], advice: str
) -> str | int | Tensor:
    """Turn --explain to a target.

    Args:
        explain: "predicted", "runner-up", "label", or the name or number of a class.
        labels: Labels of the samples.
        names: Names of the classes.
        advice: What to do where a label is no class.

    Raises:
        InputError: There is no such class, or a sample has no label.
    """
    if explain in ("predicted", "runner-up"):
        return explain
    if explain != "label":
        return _number(explain, names)
    return torch.tensor([_label_number(label, names, advice) for label in labels])


def check_unit(explain: str, names: Sequence[str]) -> None:
    """Refuse a class of a model with one unit that is not the class whose probability it gives.

    Args:
        explain: As of `target_of`.
        names: Names of its two classes; empty for a regression.

    Raises:
        InputError: It is another one.
    """
    unit = names[1] if names else "the output"
    if explain not in ("predicted", unit) and (not names or name_of(explain, names) != unit):
        raise InputError(
            f"--explain {explain} for a model with one unit, which is explained as {unit}",
            f"predicted, or {unit}: what speaks against it is blue",
            "leave --explain out",
        )


def _label_number(label: str | None, names: Sequence[str], advice: str) -> int:
    name = name_of(label, names)
    if name is None or name not in names:
        given = f"--explain label, and a sample with the label {label!r}"
        allowed = f"a class of the model: {', '.join(names[:12])}"
        raise InputError(given, allowed, f"{advice}, or --explain predicted")
    return list(names).index(name)


def _number(explain: str, names: Sequence[str]) -> int:
    name = name_of(explain, names)
    if name not in names:
        allowed = ", ".join(("predicted", "runner-up", "label", *names[:12]))
        near = suggest(explain, ("predicted", "runner-up", "label", *names))
        raise InputError(
            f"--explain {explain}", allowed, near.replace("write ", "write --explain ")
        )
    return list(names).index(str(name))
