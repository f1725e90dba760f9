"""What a tuned recipe is compared with: all presets, and the methods that need no rules.

Takes an explainer and a few samples. Gives functions from samples to relevance. Must not know how
they are measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..compare.methods import GRADIENT_METHODS, attribute
from ..errors import InputError, RelpropError
from ..explanation.explainer import Explainer
from ..recipes.presets import PRESETS
from ..recipes.recipe import Recipe
from ..rules.rule import Rule
from .objective import Explain


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
    presets, left_out = {}, dict[str, str]()
    same_as, rules = dict[str, str](), dict[str, list[Rule | None]]()
    for name in PRESETS:
        if name == "auto":
            continue
        try:
            parameters = _bounds_of(name, bounds)
            presets[name] = Recipe.preset(name, **parameters)
            rules[name] = [s.rule for s in explainer.with_recipe(presets[name]).plan(x).steps]
            same_as[name] = next(one for one in rules if rules[one] == rules[name])
        except RelpropError as error:
            presets.pop(name, None)
            left_out[name] = str(error).splitlines()[0]
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
