"""The methods that `compare` knows: presets and gradient methods, named by a text.

    epsilon                             a preset of `relprop.Recipe`
    epsilon:epsilon=0.1,relative=true   the preset with parameters
    gradient-x-input                    or another name in GRADIENT_METHODS

Takes such a text. Gives a function from model, images and classes to relevance, as
`relprop.evaluate` takes it. Must not know what the relevance is used for.

n  samples
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..explanation.explainer import Explainer
from ..explanation.method import Method
from ..models.defaults import PRESET_PARAMETERS
from ..recipes.presets import PRESETS
from ..recipes.recipe import Recipe
from ..support.arguments import complete_parameters, keyword_parameters, suggest
from ..support.extras import needs

# (model, x (n, *features), classes (n,)) -> relevance like x
Attribution = Callable[[nn.Module, Tensor, Tensor], Tensor]


def method_text(preset: str, parameters: Mapping[str, float | bool]) -> str:
    """Write a preset and its parameters as `parse_method` parses them.

    Example:
        >>> method_text("epsilon", {"epsilon": 0.1, "relative": True})
        'epsilon:epsilon=0.1,relative=true'
    """
    values = (
        f"{name}={str(value).lower() if isinstance(value, bool) else f'{value:g}'}"
        for name, value in parameters.items()
    )
    return ":".join(filter(None, (preset, ",".join(values))))


# Compared where none are named: the presets of the demo, and the method that needs no rules.
METHODS = (*(method_text(*preset) for preset in PRESET_PARAMETERS.items()), "gradient-x-input")


@dataclass(frozen=True)
class NamedMethod:
    """An attribution method, checked before a model is loaded.

    Attributes:
        text: The method as it was written, which names it in every result.
        bind: Makes the attribution function for the model of an explainer. All methods can share
            one explainer, so that the model is captured once.
    """

    text: str
    bind: Callable[[Explainer], Attribution]


def parse_method(text: str) -> NamedMethod:
    """Parse a method such as "gamma:gamma=0.25".

    Raises:
        InputError: Unknown name or parameter.
    """
    name, _, rest = text.partition(":")
    parameters = _parse_parameters(text, rest)
    if name in GRADIENT_METHODS:
        return _gradient_method(text, name, parameters)
    if name not in PRESETS:
        names = (*PRESETS, *GRADIENT_METHODS)
        raise InputError(f"unknown method {name!r}", ", ".join(names), suggest(name, names))
    recipe = Recipe.preset(name, **parameters)
    return NamedMethod(text, lambda explainer: Method(explainer.with_recipe(recipe)))


def _gradient_method(text: str, name: str, parameters: Mapping[str, float | bool]) -> NamedMethod:
    function = GRADIENT_METHODS[name]
    known = keyword_parameters(function)
    arguments = complete_parameters(f'method "{name}"', known, parameters)
    for key, value in arguments.items():
        whole = isinstance(known[key].default, int)
        if isinstance(value, bool) or value <= 0 or (whole and value != int(value)):
            allowed = "a whole number > 0" if whole else "a number > 0"
            raise InputError(f"{key}={value} in {text!r}", allowed, f"leave {key} out")
    return NamedMethod(text, lambda explainer: partial(function, **arguments))


def gradient_x_input(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """Compute R_i = x_i * d score / d x_i, where score is the output of the class."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        score = model(x).gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, x)
    return gradient * x.detach()


def integrated_gradients(
    model: nn.Module, x: Tensor, classes: Tensor, *, steps: int = 50
) -> Tensor:
    """Compute R_i = x_i * mean of d score / d x_i at `steps` points between 0 and x.

    Source: Sundararajan et al. 2017; computed by Captum.
    """
    with needs("evaluate", "integrated-gradients"):
        from captum.attr import IntegratedGradients
    relevance: Tensor = IntegratedGradients(model).attribute(
        x, target=classes, n_steps=int(steps), internal_batch_size=len(x)
    )
    return relevance.detach().to(x.dtype)


def smoothgrad(
    model: nn.Module, x: Tensor, classes: Tensor, *, samples: int = 25, noise: float = 0.15
) -> Tensor:
    """Compute R_i = mean of d score / d x_i over copies of x with Gaussian noise; signed.

    `noise` is its standard deviation, as a fraction of the range of all values in x.

    Source: Smilkov et al. 2017; computed by Captum.
    """
    with needs("evaluate", "smoothgrad"):
        from captum.attr import NoiseTunnel, Saliency
    relevance: Tensor = NoiseTunnel(Saliency(model)).attribute(
        x,
        nt_samples=int(samples),
        nt_samples_batch_size=1,
        stdevs=noise * float(x.max() - x.min()),
        target=classes,
        abs=False,
    )
    return relevance.detach()


GRADIENT_METHODS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "gradient-x-input": gradient_x_input,
        "integrated-gradients": integrated_gradients,
        "smoothgrad": smoothgrad,
    }
)


def attribute(
    attribution: Attribution, model: nn.Module, x: Tensor, classes: Tensor, *, seed: int
) -> Tensor:
    """Compute relevance (n, *features) with a fixed random seed, for methods that draw noise."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return attribution(model, x, classes)


def _parse_parameters(text: str, rest: str) -> dict[str, float | bool]:
    """Parse the part after the colon, such as "a=1,b=true"."""
    parameters: dict[str, float | bool] = {}
    for assignment in rest.split(",") if rest else []:
        key, _, value = assignment.partition("=")
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = math.nan
        if not isinstance(parsed, (bool, int, float)) or not math.isfinite(parsed):
            raise InputError(
                f"{assignment!r} in the method {text!r}",
                "parameters such as epsilon=0.1,relative=true",
                f"write {text.partition(':')[0]}:name=number",
            )
        parameters[key] = parsed
    return parameters
