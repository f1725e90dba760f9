"""The one-call form of an `Explainer`."""

from typing import Unpack

from torch import nn

from ..recipes.recipe import Recipe
from .check_inputs import ModelInput
from .explainer import Explainer
from .options import Options
from .result import Explanation
from .targets import Target


def explain(
    model: nn.Module,
    x: ModelInput,
    recipe: Recipe | str = "auto",
    target: Target = None,
    **options: Unpack[Options],
) -> Explanation:
    """Run a model and explain its output in one call: `Explainer(model, recipe)(x, target)`.

    An `Explainer` captures the model once for many calls.

    Args:
        model: Any torch.nn.Module, in eval mode.
        x: What the model is called with.
        recipe: A `Recipe` or the name of a preset.
        target: What is explained; None: the predicted class.
        **options: As for a call of an `Explainer`.

    Returns:
        An `Explanation`.

    Raises:
        RelpropError: As a call of an `Explainer`.

    Example:
        >>> import torch, relprop
        >>> relprop.explain(torch.nn.Linear(4, 3).eval(), torch.ones(2, 4)).relevance.shape
        torch.Size([2, 4])
    """
    return Explainer(model, recipe)(x, target, **options)
