"""The wrapper: classify a batch, then explain it. The package's public face.

Takes any module that maps a batch to (batch, classes). Captures and plans once for each input
shape, and runs the program that comes of it. The model is read and never written.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .checks import check_input, check_output, check_relevance
from .engine.plan import Plan
from .engine.program import Program
from .engine.recipe import Recipe
from .errors import InputError
from .explanation import Explanation
from .making import make_program, state_of
from .margin import margin
from .target import Target, resolve_target

Seed = Literal["score", "one"]

_PLANNING = threading.Lock()  # torch.export keeps global state while it reads a model


class Explainer:
    """Explains what a model looked at, by Layer-wise Relevance Propagation.

    model   any torch.nn.Module, in eval mode, that maps a batch to (batch, classes) scores
    recipe  a `Recipe`, or the name of a preset

    Call it with a batch. One explainer may be used from several threads. It follows changes of the
    model's parameters and buffers; after any other change of the model make a new explainer.
    The model's forward runs a few times on a copy when an input shape is new, forward hooks too.
    It computes in the model's own dtype, whatever autocast is around it.
    """

    def __init__(self, model: nn.Module, recipe: Recipe | str = "epsilon-plus-flat") -> None:
        if not isinstance(model, nn.Module):
            given = f"a model of type {type(model).__name__}"
            raise InputError(given, "a torch.nn.Module", "give the model itself")
        if not isinstance(recipe, (Recipe, str)):
            given = f"a recipe of type {type(recipe).__name__}"
            raise InputError(given, "a Recipe or a preset's name", 'write recipe="epsilon-plus"')
        self.model = model
        self.recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
        self._programs: dict[Any, tuple[Program, list[nn.Module]]] = {}

    def plan(self, x: Tensor) -> Plan:
        """What will happen at every operation for a batch like x. Print it to read it."""
        with _plain_arithmetic(x):
            return self._program(check_input(self.model, x)).plan

    def __call__(self, x: Tensor, target: Target = None, seed: Seed = "score") -> Explanation:
        """Classify x, then explain it.

        x       (batch, *features), of the model's dtype and on its device
        target  None or "predicted"; a class; one class per sample, (batch,); "runner-up";
                a pair (a, b) for the difference of their scores; or a function
                from the output to one number per sample
        seed    "score": the relevance at the output is the target's own score, so that it sums
                to it where nothing is absorbed; "one": the same, scaled to sum to 1 there
        Raises RelpropError before anything runs if the input or a parameter is wrong, or an
        operation has no rule; and after it if the result is not finite.
        """
        if seed not in ("score", "one"):
            raise InputError(f"seed is {seed!r}", '"score" or "one"', 'write seed="score"')
        with _plain_arithmetic(x):
            x = check_input(self.model, x)
            program = self._program(x)
            trace = program.forward(x, state_of(self.model, program.plan.graph))
            output = check_output(trace.output)
            c, classes = resolve_target(output, target)
            relevance = program.backward(trace, c if seed == "score" else _unit(output, c))
            return _record(x, output, classes, check_relevance(relevance))

    def _program(self, x: Tensor) -> Program:
        modules = list(self.model.modules())  # kept, so that no new module gets an old one's id
        key = (x.shape[1:], x.dtype, x.device, *((id(m), m.training) for m in modules))
        if key not in self._programs:
            with _PLANNING:
                if key not in self._programs:
                    self._programs[key] = make_program(self.model, x, self.recipe), modules
        return self._programs[key][0]


def explain(
    model: nn.Module,
    x: Tensor,
    recipe: Recipe | str = "epsilon-plus-flat",
    target: Target = None,
    seed: Seed = "score",
) -> Explanation:
    """Classify x and explain it in one call: `Explainer(model, recipe)(x, target, seed)`."""
    return Explainer(model, recipe)(x, target, seed)


@contextmanager
def _plain_arithmetic(x: Tensor) -> Iterator[None]:
    """Without autograd, inference mode and autocast, whatever the caller has on."""
    device = x.device.type if isinstance(x, Tensor) else "cpu"
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
        yield


def _unit(output: Tensor, c: Tensor) -> Tensor:
    """The same, scaled so that the relevance at the output sums to 1 for each sample."""
    score = (output * c).sum(1, keepdim=True)
    if bool((score == 0).any()):
        sample = int((score == 0).nonzero()[0, 0])
        raise InputError(
            f'seed="one" for sample {sample}, whose target scores exactly 0',
            "a target whose score is not 0",
            'write seed="score"',
        )
    return c / score


def _record(x: Tensor, output: Tensor, target: Tensor | None, relevance: Tensor) -> Explanation:
    return Explanation(
        input=x,
        output=output,
        prediction=output.argmax(1),
        probabilities=output.softmax(1),
        margin=margin(output),
        target=target,
        relevance=relevance,
    )
