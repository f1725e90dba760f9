"""Methods: ways to get relevance, each by a name that may carry parameters.

    epsilon                             a preset of `relprop.Recipe`
    epsilon:epsilon=0.1,relative=true   the same with parameters
    gradient-x-input                    and what else GRADIENTS names

Takes such a text. Gives a function from model, pictures and classes to relevance, as
`relprop.evaluate` takes it. Must not know what that is used for.

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
from ..recipes.presets import PRESETS
from ..recipes.recipe import Recipe
from ..support.arguments import complete_parameters, keyword_parameters, suggest
from ..support.extras import needs

# model, x (n, *features), classes (n,) -> like x
Attribution = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Choice:
    """A method that was asked for, checked before there is a model.

    text  as it was written, which names it in every result
    of    from any explainer of a model to the function; one reading of the model serves them all
    """

    text: str
    of: Callable[[Explainer], Attribution]


def choice(text: str) -> Choice:
    """The method of a text. Raises InputError for an unknown name or parameter."""
    name, _, rest = text.partition(":")
    parameters = _parameters(text, rest)
    if name in GRADIENTS:
        function = GRADIENTS[name]
        given = complete_parameters(f'method "{name}"', keyword_parameters(function), parameters)
        for key, value in given.items():
            whole = isinstance(keyword_parameters(function)[key].default, int)
            if isinstance(value, bool) or value <= 0 or (whole and value != int(value)):
                allowed = "a whole number > 0" if whole else "a number > 0"
                raise InputError(f"{key}={value} in {text!r}", allowed, f"leave {key} out")
        return Choice(text, lambda explainer: partial(function, **given))
    if name not in PRESETS:
        names = (*PRESETS, *GRADIENTS)
        raise InputError(f"unknown method {name!r}", ", ".join(names), suggest(name, names))
    recipe = Recipe.preset(name, **parameters)
    return Choice(text, lambda explainer: Method(explainer.with_recipe(recipe)))


def gradient_x_input(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """R_i = x_i * d score / d x_i, the score being the output of the class."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        score = model(x).gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, x)
    return gradient * x.detach()


def integrated_gradients(
    model: nn.Module, x: Tensor, classes: Tensor, *, steps: int = 50
) -> Tensor:
    """R_i = x_i * mean of d score / d x_i on the straight line from 0 to x, at `steps` points.

    Source: Sundararajan et al. 2017; computed by Captum.
    """
    with needs("evaluate", "integrated-gradients"):
        from captum.attr import IntegratedGradients
    found: Tensor = IntegratedGradients(model).attribute(
        x, target=classes, n_steps=int(steps), internal_batch_size=len(x)
    )
    return found.detach().to(x.dtype)


def smoothgrad(
    model: nn.Module, x: Tensor, classes: Tensor, *, samples: int = 25, noise: float = 0.15
) -> Tensor:
    """R_i = mean of d score / d x_i over copies of x with Gaussian noise; signed.

    noise  its standard deviation, as a fraction of the range of all values in x
    Source: Smilkov et al. 2017; computed by Captum.
    """
    with needs("evaluate", "smoothgrad"):
        from captum.attr import NoiseTunnel, Saliency
    found: Tensor = NoiseTunnel(Saliency(model)).attribute(
        x,
        nt_samples=int(samples),
        nt_samples_batch_size=1,
        stdevs=noise * float(x.max() - x.min()),
        target=classes,
        abs=False,
    )
    return found.detach()


GRADIENTS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "gradient-x-input": gradient_x_input,
        "integrated-gradients": integrated_gradients,
        "smoothgrad": smoothgrad,
    }
)


def relevance(
    attribution: Attribution, model: nn.Module, x: Tensor, classes: Tensor, *, seed: int
) -> Tensor:
    """What a method gives, (n, *features); one that draws gives the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return attribution(model, x, classes)


def _parameters(text: str, rest: str) -> dict[str, float | bool]:
    """The parameters of `a=1,b=true`."""
    found: dict[str, float | bool] = {}
    for part in rest.split(",") if rest else []:
        key, _, value = part.partition("=")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = math.nan
        if not isinstance(found[key], (bool, int, float)) or not math.isfinite(found[key]):
            raise InputError(
                f"{part!r} in the method {text!r}",
                "parameters such as epsilon=0.1,relative=true",
                f"write {text.partition(':')[0]}:name=number",
            )
    return found
