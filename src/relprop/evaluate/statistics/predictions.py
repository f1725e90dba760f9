"""Predictions: the class that a classifier predicts for each sample, and its margin.

Takes a model and samples, or outputs. Must not know the true classes.

n  samples      c  classes
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ...support.checks import is_finite
from ...support.margin import margin

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


def predict(model: Model, x: Tensor, *, batch_size: int = 256) -> Predictions:
    """Predict the class of every sample, with its margin.

    Args:
        model: Maps a batch to scores (n, c), c >= 2.
        x: Samples, (n, *features), n >= 1.
        batch_size: Samples per forward pass, at most.

    Returns:
        Predictions, on the model's device.

    Raises:
        InputError: The output is not (n, c), or has NaN or infinite values.

    Example:
        >>> import torch
        >>> from relprop.evaluate import predict
        >>> scores = torch.tensor([[0.0, 2.0, 1.0], [5.0, 0.0, 0.0]])
        >>> predict(torch.nn.Identity(), scores).prediction
        tensor([1, 0])
    """
    with torch.inference_mode():
        parts = [predictions_of(model(part)) for part in torch.split(x, batch_size)]
    return Predictions(
        torch.cat([part.prediction for part in parts]), torch.cat([part.margin for part in parts])
    )


def predictions_of(output: Tensor) -> Predictions:
    """Read predictions off an output (n, c); InputError for another shape, or for NaN."""
    margins = margin(output)  # first, because it checks the shape
    check_output(output)
    return Predictions(output.argmax(1), margins)


def check_output(output: Tensor) -> None:
    """Raise InputError if an output of any shape has NaN or infinite values."""
    if not is_finite(output):
        raise InputError(
            "the model's output has NaN or infinite values",
            "finite scores, one for each class",
            "check the model's weights and its input, with features removed, too",
        )
