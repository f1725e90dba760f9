"""Predictions: the class that a classifier predicts for each sample, and its margin.

Takes a model and samples, or outputs. Must not know the true classes.

n  samples      c  classes
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ...support.checks import is_finite, require_classes
from ...support.margin import margin
from ...support.output_kinds import OUTPUT_KINDS, OutputKind, probabilities_of

Model = Callable[[Tensor], Tensor]  # (n, *features) -> (n, c)


@dataclass(frozen=True)
class Predictions:
    """The predictions of a classifier for a batch.

    Attributes:
        prediction: The class with the largest output, (n,).
        margin: (p1 - p2) / p1 of the largest and second largest probability, (n,), in [0, 1]; see
            `relprop.margin`.
    """

    prediction: Tensor
    margin: Tensor


def predict(
    model: Model, x: Tensor, *, batch_size: int = 256, output_kind: OutputKind | None = None
) -> Predictions:
    """Predict the class of every sample, with its margin.

    Args:
        model: Maps a batch to scores (n, c), c >= 2.
        x: Samples, (n, *features), n >= 1.
        batch_size: Samples per forward pass, at most.
        output_kind: What the model returns: "logits", "log-probabilities", "probabilities" of one
            class of many, or "independent probabilities". None: what its numbers show.

    Returns:
        Predictions, on the model's device.

    Raises:
        InputError: The output is not (n, c), or has NaN or infinite values; or its kind is not
            given, and its numbers may be logits or independent probabilities.

    Example:
        >>> import torch
        >>> from relprop.evaluate import predict
        >>> scores = torch.tensor([[0.0, 2.0, 1.0], [5.0, 0.0, 0.0]])
        >>> predict(torch.nn.Identity(), scores).prediction
        tensor([1, 0])
    """
    with torch.inference_mode():
        output = torch.cat([model(part) for part in torch.split(x, batch_size)])
    require_classes(output, "scores", "pass the classifier's output for a batch")
    check_output(output)
    return predictions_of(output, resolve_output_kind(output, output_kind))


def predictions_of(output: Tensor, kind: OutputKind) -> Predictions:
    """Read predictions off an output (n, c) of a kind."""
    return Predictions(output.argmax(1), margin(class_probabilities(output, kind), "scores"))


def class_probabilities(output: Tensor, kind: OutputKind) -> Tensor:
    """Compute the probabilities that an output (n, c) of a kind stands for; "other" has none."""
    probabilities = probabilities_of(output, kind)
    assert probabilities is not None
    return probabilities


def resolve_output_kind(output: Tensor, kind: OutputKind | None) -> OutputKind:
    """Return the kind of an output (n, c): as given, or else as its numbers show.

    Numbers from 0 to 1 that add up to 1 are probabilities, and any that leave this range logits;
    or log-probabilities, which have the same softmax.

    Raises:
        InputError: An unknown kind; or none is given where the numbers may be of two.
    """
    if kind is not None:
        if kind not in _KINDS:
            names = ", ".join(f'"{name}"' for name in _KINDS)
            todo = 'write "logits" for scores, "independent probabilities" for probabilities'
            raise InputError(f"output_kind={kind!r}", names, todo)
        return kind
    if bool((output < 0).any()) or bool((output > 1).any()):
        return "logits"
    if bool(((output.double().sum(1) - 1).abs() <= _ROUNDING).all()):
        return "probabilities"
    raise InputError(
        "an output from 0 to 1 that does not add up to 1, which may be probabilities of "
        "independent labels, or logits",
        'output_kind="independent probabilities" or "logits"',
        "write output_kind=explanation.head.kind, which an explanation knows from the model",
    )


_KINDS = tuple(kind for kind in OUTPUT_KINDS if kind != "other")
_ROUNDING = 1e-2  # of a sum of probabilities in half precision


def check_output(output: Tensor) -> None:
    """Raise InputError if an output of any shape has NaN or infinite values."""
    if not is_finite(output):
        raise InputError(
            "the model's output has NaN or infinite values",
            "finite scores, one for each class",
            "check the model's weights and its input, with features removed, too",
        )
