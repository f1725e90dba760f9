"""What a tuned recipe is compared with: all presets, and the methods that need no rules.

Takes an explainer and a few samples. Gives functions from samples to relevance. Must not know how
they are measured.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..compare.methods import GRADIENT_METHODS, attribute
from ..errors import InputError, RelpropError, first_line
from ..explanation.explainer import Explainer
from ..graph.ops import LAYERS
from ..recipes.presets import PRESETS
from ..recipes.recipe import Recipe
from ..recipes.selectors import Selector
from ..rules.rule import Rule
from .objective import Explain

T = TypeVar("T")


@dataclass(frozen=True)
class Methods:
    """What a tuned recipe is compared with.

    Attributes:
        presets: Name -> recipe, of the presets that the model can be explained by.
        others: Name -> function from inputs and classes to relevance.
        left_out: Method -> why it is not compared.
        same_as: Name of a preset -> the first one that gives this model the same rules.
    """

    presets: Mapping[str, Recipe]
    others: Mapping[str, Explain]
    left_out: Mapping[str, str]
    same_as: Mapping[str, str]

    def without(self, failed: Mapping[str, str]) -> "Methods":
        """Return the methods but those that failed, and presets of the same rules.

        Args:
            failed: Method -> why.
        """
        same = {n: failed[one] for n, one in self.same_as.items() if one in failed}
        reasons = {**failed, **same}
        return Methods(
            _but(self.presets, reasons),
            _but(self.others, reasons),
            {**self.left_out, **reasons},
            _but(self.same_as, reasons),
        )


def _but(kept: Mapping[str, T], dropped: Container[str]) -> dict[str, T]:
    return {name: value for name, value in kept.items() if name not in dropped}


def explain_by(explainer: Explainer, recipe: Recipe, batch_size: int) -> Explain:
    """Return the function from inputs and classes to relevance by a recipe.

    Args:
        explainer: An explainer of the model, whose captured graphs are shared.
        recipe: The recipe.
        batch_size: Samples in a backward pass.
    """
    own = explainer.with_recipe(recipe)
    return lambda x, target: own(x, target, batch_size=batch_size).relevance.detach()


def find_methods(
    explainer: Explainer, x: Any, bounds: tuple[Any, Any] | None, batch_size: int, seed: int
) -> Methods:
    """Find the presets that a model can be explained by, and the methods that need no rules.

    Args:
        explainer: An explainer of the model.
        x: A few samples.
        bounds: Lowest and highest value of the input; None: of token ids there are none.
        batch_size: Samples in a forward pass.
        seed: Seed of methods that draw noise.
    """
    presets, left_out = dict[str, Recipe](), dict[str, str]()
    same_as, rules = dict[str, str](), dict[str, list[Rule | None]]()
    for name in PRESETS:
        if name == "auto":
            continue
        try:
            recipe = Recipe.preset(name, **_bounds_of(name, bounds))
            steps = [step.rule for step in explainer.with_recipe(recipe).plan(x).steps]
            same = next((one for one, known in rules.items() if known == steps), name)
        except RelpropError as error:
            left_out[name] = first_line(error)
        else:
            presets[name], rules[name], same_as[name] = recipe, steps, same
    others: dict[str, Explain] = {}
    if isinstance(x, Tensor) and x.is_floating_point():
        others = {
            name: partial(_in_batches, explainer, function, batch_size, seed)
            for name, function in GRADIENT_METHODS.items()
        }
    else:
        gradient = Recipe.preset("zero").using("*", "gradient")
        others["gradient-x-input"] = explain_by(explainer, gradient, batch_size)
        why = "inputs that are no single tensor of numbers"
        left_out |= {name: why for name in GRADIENT_METHODS if name not in others}
    return Methods(presets, others, left_out, same_as)


def takes_box(explainer: Explainer, x: Any, bounds: tuple[Any, Any], batch_size: int) -> bool:
    """Tell whether bounds of the input fit the first layer: it may take values in another order.

    Args:
        explainer: An explainer of the model.
        x: A few samples.
        bounds: Lowest and highest value of the input.
        batch_size: Samples in a forward pass.
    """
    first = Selector(kinds=LAYERS, depth="first")
    recipe = Recipe.preset("zero").using(first, "z-box", low=bounds[0], high=bounds[1])
    try:
        explain_by(explainer, recipe, batch_size)(x, None)
    except RelpropError:
        return False
    return True


def _bounds_of(preset: str, bounds: tuple[Any, Any] | None) -> dict[str, Any]:
    if preset != "epsilon-gamma-box":
        return {}
    if bounds is None:
        given, allowed = "token ids, which have no bounds", "an input of numbers"
        raise InputError(given, allowed, "take another preset")
    return {"low": bounds[0], "high": bounds[1]}


def _in_batches(
    explainer: Explainer,
    function: Callable[..., Tensor],
    size: int,
    seed: int,
    x: Tensor,
    target: Any,
) -> Tensor:
    """Compute relevance batch by batch, with the same noise wherever a batch begins."""
    if target is None:  # the only entry of the output
        target = torch.zeros(len(x), dtype=torch.long, device=x.device)
    parts = zip(torch.split(x, size), torch.split(target, size), strict=True)
    found = [attribute(function, explainer.model, a, b, seed=seed).detach() for a, b in parts]
    return torch.cat(found)
