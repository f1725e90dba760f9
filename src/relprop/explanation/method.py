"""LRP as a function (model, x, target) -> relevance, which is what `relprop.evaluate` takes.

Takes an explainer. Explains whichever model it is called with, by that explainer's recipe.
"""

from typing import Any

from torch import Tensor, nn

from .check_inputs import Given
from .explainer import Explainer


class Method:
    """The method of an explainer, for any model: `Method(explainer)(model, x, target)`.

    A test such as parameter randomisation calls with a copy of the model, whose weights it changes.
    An explainer knows its own model alone, so that another one is made for the copy; the last such
    one is kept, because reading a model takes longer than explaining a batch.
    """

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self._other = explainer

    def __call__(self, model: nn.Module, x: Given, target: Any) -> Tensor:
        """Relevance of the first input of a batch, of its shape; target as `Explainer` takes it."""
        return self.of(model)(x, target).relevance

    def of(self, model: nn.Module) -> Explainer:
        """The explainer of a model."""
        if model is self.explainer.model:
            return self.explainer
        other = self._other
        if model is not other.model:
            own = self.explainer
            other = Explainer(
                *(model, own.recipe), output=own.output, capture=own.capture, compile=own.compile
            )
            self._other = other
        return other
