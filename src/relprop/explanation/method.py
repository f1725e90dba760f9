"""LRP as a function (model, x, target) -> relevance, which is what `relprop.evaluate` takes.

Takes an explainer. Explains whichever model it is called with, by that explainer's recipe.
"""

from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..support.torch_private import uncompiled
from .check_inputs import ModelInput
from .explainer import Explainer


class Method:
    """Turn an explainer into a method for any model: `Method(explainer)(model, x, target)`.

    A test such as parameter randomisation calls it with a copy of the model whose weights it
    changes. An explainer knows its own model alone, so that another one is made for the copy; the
    last one is kept, because capturing a model takes longer than explaining a batch.

    Args:
        explainer: The explainer, whose recipe explains every model.

    Raises:
        InputError: It is no explainer.

    Example:
        >>> import torch, relprop
        >>> model, other = torch.nn.Linear(4, 3).eval(), torch.nn.Linear(4, 3).eval()
        >>> method = relprop.Method(relprop.Explainer(model, "epsilon"))
        >>> method(other, torch.ones(2, 4), target=0).shape
        torch.Size([2, 4])
    """

    def __init__(self, explainer: Explainer) -> None:
        if not isinstance(explainer, Explainer):
            given = f"a method made of a {type(explainer).__name__}"
            todo = "write relprop.Method(relprop.Explainer(model))"
            raise InputError(given, "an Explainer", todo)
        self.explainer = explainer
        self._other = explainer

    def __call__(self, model: nn.Module, x: ModelInput, target: Any) -> Tensor:
        """Compute the relevance of a batch.

        Args:
            model: The model to explain.
            x: As `Explainer` takes it.
            target: As `Explainer` takes it.

        Returns:
            Relevance of the first input, of its shape.
        """
        return self.explainer_of(model)(x, target).relevance

    def explainer_of(self, model: nn.Module) -> Explainer:
        """Return an explainer of a model, by the same recipe and options.

        Args:
            model: The model.
        """
        model = uncompiled(model)
        if model is self.explainer.model:
            return self.explainer
        other, own = self._other, self.explainer
        if model is not other.model:
            other = Explainer(
                model, own.recipe, output=own.output, capture=own.capture, compile=own.compile
            )
            self._other = other
        return other
