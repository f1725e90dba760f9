"""Explains a model while it is trained.

Takes a model in any mode, a batch and its labels. Gives an `Explanation` of the labels' scores in
eval mode, and leaves the model as it was. Must not know what the relevance is for.
"""

from typing import Any, Unpack, cast

from torch import Tensor, nn

from ...errors import InputError
from ...explanation.explainer import Explainer
from ...explanation.labelled_samples import check_classes, described
from ...explanation.options import Options, check_arguments
from ...explanation.result import Explanation
from ...recipes.recipe import Recipe
from ...support.eval_mode import in_eval_mode


class TrainingExplainer:
    """Explains true classes by the weights that a model has now; captures once for each shape.

    Keeps the explainer of the last model. Copies, as of a LightningModule that holds one of these,
    begin without it.
    """

    def __init__(self, recipe: Recipe | str) -> None:
        """Take the recipe. Raises InputError for what is none."""
        check_arguments(recipe, "export", False)
        self.recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
        self._explainer: Explainer | None = None
        self._model: nn.Module | None = None

    def __call__(
        self, model: nn.Module, x: Tensor, target: Any, **options: Unpack[Options]
    ) -> Explanation:
        """Explain a batch, as the model computes it in eval mode.

        Args:
            model: The model, in any mode.
            x: What it is called with, (n, ...).
            target: As `Explainer` takes it.
            **options: As `Explainer` takes them.
        """
        if self._explainer is None or self._model is not model:
            self._explainer, self._model = Explainer(model, self.recipe), model
        with in_eval_mode(self._explainer.model):
            return self._explainer(x, target, **options)

    def __reduce__(self) -> tuple[type["TrainingExplainer"], tuple[Recipe]]:
        return TrainingExplainer, (self.recipe,)


def check_batch(x: object, y: object, classes: int | None = None) -> None:
    """Raise InputError unless x is a batch of numbers, (n, ...), and y its classes, (n,).

    Args:
        x: The batch.
        y: The labels.
        classes: How many classes there are, where it is known.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 2 or not len(x):
        allowed = "a tensor (n, ...) of floating-point numbers"
        raise InputError(described("x", x), allowed, "write x = x.float()")
    check_classes(y, len(x))
    high = int(cast(Tensor, y).max())
    if classes is not None and high >= classes:
        given, allowed = f"class {high}", f"classes from 0 to {classes - 1}"
        raise InputError(given, allowed, f"write classes={high + 1}")


def check_fraction(name: str, value: object, *, zero: bool = False, one: bool = False) -> None:
    """Raise InputError unless a number is between 0 and 1.

    Args:
        name: What it is called.
        value: What was given.
        zero: Whether 0 is allowed.
        one: Whether 1 is.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (0 < value < 1 or (zero and value == 0) or (one and value == 1)):  # type: ignore[operator]
        return
    low, high = "0" if zero else "above 0", "1" if one else "below 1"
    percent = number and 1 < value <= 100  # type: ignore[operator]
    todo = f"write {name}={value / 100 if percent else 0.5:g}"  # type: ignore[operator]
    raise InputError(f"{name} is {value!r}", f"a number from {low} to {high}", todo)
