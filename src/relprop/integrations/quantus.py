"""Quantus' metrics for any explainer: a function of the form in which Quantus calls methods.

Takes numpy arrays and gives them. Must not import Quantus.

    import quantus
    import relprop
    from relprop.integrations.quantus import ExplainFunc

    explain = ExplainFunc(relprop.Explainer(model, "epsilon-plus"))
    metric = quantus.RandomLogit(num_classes=10)
    metric(model=model, x_batch=x.numpy(), y_batch=labels.numpy(), explain_func=explain)
"""

import numpy
import torch
from numpy.typing import NDArray
from torch import nn

from ..explanation.explainer import Explainer
from ..explanation.method import Method


class ExplainFunc:
    """What Quantus takes as `explain_func`. It explains the model that it is called with.

    Quantus' tests of randomised weights call with copies of the model: see `relprop.Method`.
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
        """Relevance of a batch, of the shape of the inputs.

        inputs          (n, *features); taken to the model's dtype and device
        targets         (n,) classes
        device, method  Quantus gives them to every method; the explainer knows both
        """
        like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        x = torch.from_numpy(numpy.array(inputs))  # a copy, because views may be read-only
        x = x.to(like) if x.is_floating_point() else x.to(like.device)
        classes = torch.as_tensor(numpy.array(targets)).to(like.device).long()
        return self.method(model, x, classes).cpu().numpy()
