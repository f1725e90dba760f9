"""What errors say of options that a call does not have, and of modules in the place of their names.

Takes what the caller wrote, the model and the recipe. Gives errors with the line to write.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..errors import InputError
from ..recipes.presets import PRESETS, preset_with
from ..recipes.recipe import Recipe
from ..support.arguments import suggest
from .target_advice import TEXTS

_OF_EXPLAINERS = ("output", "capture", "compile")  # arguments of an explainer
_OF_MAP = ("prepare", "progress", "bucket_size")
# What other libraries call the recipe, and the target.
_RECIPE = ("recipe", "preset", "method", "rule", "rules", "composite", "name")
_TARGET = (
    *("label", "labels", "class", "class_", "classes", "cls", "class_idx", "class_index", "y"),
    *("targets", "target_class", "class_id", "neuron", "output_index", "index"),
)


def unknown_option(
    name: str, options: Mapping[str, Any], known: Sequence[str], recipe: Recipe
) -> InputError:
    """Return the error for an option that a call does not have.

    Args:
        name: Its name.
        options: All that were given.
        known: Names of those that a call has.
        recipe: Of the explainer that is called.
    """
    value = options[name]
    if name in _OF_EXPLAINERS:
        return _of_an_explainer(name, f"model, {name}={value!r}")
    if name in _RECIPE:
        shown = f'"{value}"' if isinstance(value, str) and value in PRESETS else "recipe"
        return _of_an_explainer(name, f"model, {shown}")
    preset = preset_with(name, recipe.name.partition("(")[0])
    if preset:
        line = _preset_line(preset, options)
        return _of_an_explainer(name, f"model, {line}", f"parameter {name}= of a recipe")
    if name in _TARGET:
        return InputError(f"{name}= in a call", "target=", f"write {_target_line(value, name)}")
    if name in _OF_MAP:
        shown = repr(value) if isinstance(value, int) else name
        todo = f"write explainer.map(batches, {name}={shown})"
        return InputError(f"{name}= in a call", f"{name}= of explainer.map", todo)
    return InputError(f"the option {name}", ", ".join(known), suggest(name, known))


def _of_an_explainer(name: str, arguments: str, allowed: str = "") -> InputError:
    return InputError(
        f"{name}= in a call",
        allowed or f"{'recipe' if name in _RECIPE else name}= of an Explainer",
        f"write relprop.Explainer({arguments})(x)",
    )


def _preset_line(preset: str, options: Mapping[str, Any]) -> str:
    """Write a preset with those of its parameters that were given."""
    given = {n: v for n, v in options.items() if preset_with(n, preset) == preset}
    if "alpha" in given or "beta" in given:
        alpha = given.get("alpha", 1 + given.get("beta", 0))
        given = {"alpha": alpha, "beta": given.get("beta", alpha - 1)}
    if preset == "epsilon-gamma-box":
        given = {"low": 0.0, "high": 1.0} | given
    shown = ", ".join(f"{n}={n if isinstance(v, Tensor) else repr(v)}" for n, v in given.items())
    return f'relprop.Recipe.preset("{preset}", {shown})'


def wrong_recipe(recipe: object) -> InputError | None:
    """Return the error for what is no recipe; None for a recipe, or a text that may name one."""
    if isinstance(recipe, Recipe) or (isinstance(recipe, str) and recipe not in TEXTS):
        return None
    given, allowed = f"a recipe of type {type(recipe).__name__}", "a Recipe or a preset's name"
    if isinstance(recipe, str):
        given = f"the target {recipe!r} in the place of a recipe"
    if recipe is None:
        return InputError(given, allowed, 'write recipe="auto"')
    if isinstance(recipe, type) or not _may_be_target(recipe):
        return InputError(given, allowed, 'write recipe="epsilon-plus"')
    name = "labels" if isinstance(recipe, (Tensor, np.ndarray)) else "target"
    line = _target_line(recipe, "function" if callable(recipe) else name)
    todo = f"if it is the target, name it: relprop.Explainer(model)(x, {line})"
    return InputError(given, allowed, todo)


def _may_be_target(value: object) -> bool:
    from .targets import At

    kinds = (int, str, Tensor, np.ndarray, np.integer, list, tuple, At)
    is_function = callable(value) and not isinstance(value, nn.Module)
    return is_function or (isinstance(value, kinds) and not isinstance(value, bool))


def _target_line(value: object, name: str) -> str:
    """Write a value as target: numbers and texts as they are, all else by a name."""
    if isinstance(value, str):
        return f'target="{value}"'
    items = value if isinstance(value, tuple) else (value,)
    return f"target={value!r}" if all(isinstance(one, int) for one in items) else f"target={name}"


def refuse_modules(options: Mapping[str, Any], model: nn.Module) -> None:
    """Raise InputError for modules of a model in the place of their names.

    Args:
        options: The options of a call.
        model: The model, which knows the names.
    """
    for option, line in (("layers", _layers_line), ("conditions", _conditions_line)):
        value = options.get(option)
        held = [value] if isinstance(value, nn.Module) else value
        if isinstance(held, Iterable) and any(isinstance(one, nn.Module) for one in held):
            raise InputError(
                f"{option} with a module in the place of its name",
                "dotted names of modules, which are texts",
                line(value, _naming(model)),
            )


def _naming(model: nn.Module) -> Callable[[object], str]:
    """Return a function from a module to its name in quotes; of what is no module, as it is."""
    names = {module: name for name, module in model.named_modules()}

    def name_of(one: object) -> str:
        known = names.get(one, type(one).__name__) if isinstance(one, nn.Module) else str(one)
        return f'"{known}"'

    return name_of


def _layers_line(value: Any, name_of: Callable[[object], str]) -> str:
    held = [value] if isinstance(value, nn.Module) else value
    return f"write layers=[{', '.join(map(name_of, held))}]"


def _conditions_line(value: Any, name_of: Callable[[object], str]) -> str:
    if isinstance(value, Mapping):
        pairs = [f"{name_of(key)}: {_channels(channels)}" for key, channels in value.items()]
    else:
        pairs = [f"{name_of(value)}: [0]"]
    return f"write conditions={{{', '.join(pairs)}}}"


def _channels(channels: object) -> str:
    text = repr(channels)
    return text if len(text) <= 60 and not isinstance(channels, Tensor) else "channels"
