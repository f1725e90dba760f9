"""Quantus' metrics for any explainer: a function of the form in which Quantus calls methods.

Takes numpy arrays and returns them. Must not import Quantus.
"""

import numpy
import torch
from numpy.typing import NDArray
from torch import nn

from ..explanation.explainer import Explainer
from ..explanation.method import Method

__all__ = ["ExplainFunc"]


class ExplainFunc:
    """Adapt an explainer to Quantus' `explain_func`.

    It explains the model that it is called with, by the explainer's recipe: Quantus' tests of
    randomised weights call it with changed copies of the model; see `relprop.Method`.

    Args:
        explainer: The explainer, of the model that Quantus evaluates.

    Example:
        With Quantus, which calls it once per batch:

            metric = quantus.RandomLogit(num_classes=10)
            metric(model=model, x_batch=x, y_batch=y, explain_func=ExplainFunc(explainer))

        The same call by hand:

        >>> import numpy, torch, relprop
        >>> from relprop.integrations.quantus import ExplainFunc
        >>> model = torch.nn.Linear(4, 3).eval()
        >>> explain = ExplainFunc(relprop.Explainer(model, "epsilon"))
        >>> x, y = numpy.ones((2, 4), dtype="float32"), numpy.array([0, 2])
        >>> explain(model=model, inputs=x, targets=y).shape
        (2, 4)
    """

    def __init__(self, explainer: Explainer) -> None:
        self.method = Method(explainer)

    def __call__(
        self,
        model: nn.Module,
        inputs: NDArray[numpy.generic],
        targets: NDArray[numpy.generic],
        *,
        device: object = None,
        method: object = None,
    ) -> NDArray[numpy.generic]:
        """Compute the relevance of a batch.

        Args:
            model: The model to explain.
            inputs: Samples, (n, *features); moved to the model's dtype and device.
            targets: The class to explain for each sample, (n,).
            device: Ignored; Quantus passes it to every method, and the model's device is used.
            method: Ignored; Quantus passes it to every method.

        Returns:
            Relevance, of the shape of the inputs.

        Raises:
            RelpropError: The model cannot be explained; see `relprop.Explainer`.
        """
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        x = torch.from_numpy(numpy.array(inputs))  # a copy, because views may be read-only
        x = x.to(like) if x.is_floating_point() else x.to(like.device)
        classes = torch.as_tensor(numpy.array(targets)).to(like.device).long()
        return self.method(model, x, classes).cpu().numpy()
