"""The wrapper: run a model on a batch, then explain it. The package's public face.

Takes any module. Captures and plans once for each input shape, and runs the program that comes of
it. The model is read and never written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import torch
from torch import nn

from .batches import fitting, joined, parts
from .checks import Given, check_inputs
from .engine.channels import conditions
from .engine.inputs import Inputs
from .engine.plan import Plan
from .engine.recipe import Recipe
from .errors import InputError
from .explanation import Explanation
from .programs import Programs
from .progress import Progress
from .running import Request, run
from .saving import Saved, read_plans, write_plans
from .streaming import ahead
from .target import Target

Seed = Literal["score", "one"]
Capture = Literal["export", "per-input"]


class Options(TypedDict, total=False):
    """What a call takes beside the input, the target and the seed; see `Explainer.__call__`."""

    explain: str | tuple[str, ...] | None
    ledger: bool
    layers: Sequence[str]
    only: Mapping[str, Any] | None
    create_graph: bool
    batch_size: int | None
    memory: int | None
    recompute: bool


class Explainer:
    """Explains what a model looked at, by Layer-wise Relevance Propagation.

    model    any torch.nn.Module, in eval mode
    recipe   a `Recipe`, or the name of a preset; "auto" chooses one for the model's operations,
             and `plan` says which and why
    output   which tensor to explain, of a model that returns several: a key or an index.
             None: the only one, or the one called "logits"
    capture  "export": the model is read once for each input shape. "per-input": it is read anew at
             every call, for these very numbers, if Python's `if` and `for` in it depend on them
    compile  forward pass and relevance run as one function of torch.compile's, which takes a while
             at the first call. On a CUDA device it is recorded as a CUDA graph when a size of batch
             comes again, and holds on to the memory that it computes with; of the last eight sizes.
             For classes as targets, and without what looks at the way back: ledger, layers, only,
             create_graph, recompute

    Call it with a batch. One explainer may be used from several threads. It follows changes of the
    model's parameters and buffers; after any other change of the model make a new explainer.
    The model's forward runs a few times on a copy when an input shape is new, forward hooks too.
    It computes in the model's own dtype, and under the autocast that is on where it is called.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe | str = "auto",
        *,
        output: str | int | None = None,
        capture: Capture = "export",
        compile: bool = False,
    ) -> None:
        if not isinstance(model, nn.Module):
            given = f"a model of type {type(model).__name__}"
            raise InputError(given, "a torch.nn.Module", "give the model itself")
        if not isinstance(recipe, (Recipe, str)):
            given = f"a recipe of type {type(recipe).__name__}"
            raise InputError(given, "a Recipe or a preset's name", 'write recipe="epsilon-plus"')
        if capture not in ("export", "per-input"):
            raise InputError(
                f"capture is {capture!r}", '"export" or "per-input"', 'capture="export"'
            )
        self.model = model
        self.recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
        self.output = output
        self.capture = capture
        self.compile = bool(compile)
        if self.compile and capture == "per-input":
            raise InputError(
                'compile=True with capture="per-input"',
                "one of them: what is read anew for each input cannot be compiled once",
                "leave compile=True out",
            )
        self._programs = Programs(model, self.recipe, output, capture == "per-input")

    def plan(self, x: Given, *, explain: str | tuple[str, ...] | None = None) -> Plan:
        """What will happen at every operation for a batch like x. Print it to read it."""
        with _arithmetic(create_graph=False):
            return self._programs.made(
                _own(check_inputs(self.model, x, explain), False)
            ).program.plan

    def __call__(
        self,
        x: Given,
        target: Target = None,
        seed: Seed = "score",
        *,
        explain: str | tuple[str, ...] | None = None,
        ledger: bool = False,
        layers: Sequence[str] = (),
        only: Mapping[str, Any] | None = None,
        create_graph: bool = False,
        batch_size: int | None = None,
        memory: int | None = None,
        recompute: bool = False,
    ) -> Explanation:
        """Run the model on x, then explain its output.

        x             what the model is called with: a tensor (batch, *features) of the model's
                      dtype and on its device, or token ids (batch, length); a tuple of positional
                      arguments; or a mapping of keyword arguments
        target        None or "predicted"; a class; one class per sample, a tensor (batch,);
                      "runner-up"; `relprop.at(...)` for one entry of an output of any shape; a pair
                      (a, b) for the difference of their scores; a function from the output to one
                      number per sample. A list of these, or "all" for every class: several targets
        seed          "score": the relevance at the output is the target's own score, so that it
                      sums to it where nothing is absorbed; "one": the same, scaled to sum to 1
        explain       labels of the inputs that relevance is taken of; None: the first
        ledger        account for all relevance, by operation and sample
        layers        globs on names of modules whose output's relevance is wanted
        only          glob on names of modules -> channels through which alone relevance passes
                      at their output: an index, a list of them, or a mask of a sample's shape
        create_graph  relevance can be differentiated by the inputs and the model's parameters
        batch_size    explain so many samples at a time
        memory        bytes: explain as many at a time as fit, by what one and two samples need
        recompute     keep less on the way forward, and run parts of the model once more on the way
                      back: for very deep models
        Raises RelpropError before anything runs if an argument is wrong, or an operation has no
        rule; and after it if the result is not finite.
        """
        if seed not in ("score", "one"):
            raise InputError(f"seed is {seed!r}", '"score" or "one"', 'write seed="score"')
        named = isinstance(layers, (list, tuple)) and all(isinstance(n, str) for n in layers)
        if not named:
            todo = f'layers=["{layers if isinstance(layers, str) else "*"}"]'
            raise InputError(f"layers is {layers!r}", "a list of names", todo)
        request = Request(
            *(target, seed == "one", bool(ledger), tuple(layers), conditions(only)),
            *(create_graph, recompute, self.compile),
        )
        if self.compile and (ledger or layers or only or create_graph or recompute):
            raise InputError(
                "an explainer with compile=True and an option that looks at the way back",
                "neither ledger, layers, only, create_graph nor recompute",
                "leave compile=True out",
            )
        with _arithmetic(create_graph):
            inputs = _own(check_inputs(self.model, x, explain), create_graph)
            size = self._batch_size(inputs, request, batch_size, memory)
            each = (self._run(part, request, t) for part, t in parts(inputs, target, size))
            return joined(each, inputs)

    def _run(self, inputs: Inputs, request: Request, target: Any) -> Explanation:
        return run(self._programs.made(inputs), self.model, inputs, replace(request, target=target))

    def _batch_size(
        self, inputs: Inputs, request: Request, given: int | None, memory: int | None
    ) -> int:
        """How many samples are explained at a time."""
        for name, value in (("batch_size", given), ("memory", memory)):
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if value is not None and not whole:
                raise InputError(f"{name} is {value!r}", "a whole number > 0", f"{name}=64")
        size = min(inputs.batch, given or inputs.batch)
        if memory is None or size == 1:
            return size
        self._programs.made(inputs)  # so that what is kept for good is not counted
        explain = partial(self._run, request=request)
        fits = fitting(inputs, lambda i, t: explain(i, target=t), request.target, memory)
        return min(size, fits)

    def map(
        self,
        batches: Iterable[Any],
        target: Target = None,
        seed: Seed = "score",
        *,
        prepare: Callable[[Any], tuple[Given, Target]] | None = None,
        progress: bool = True,
        **options: Unpack[Options],
    ) -> Iterator[Explanation]:
        """Explain a data set, batch by batch; the next is loaded while one is explained.

        batches   a torch DataLoader, or any iterable. Of a list or tuple, as loaders give of
                  (input, label), the first is explained
        prepare   from what `batches` gives to (x, target), where these are found otherwise
        progress  show on stderr how far it is
        Tensors are moved to the model's device. The rest is as for a call.
        """
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))

        def made_ready(batch: Any) -> tuple[Given, Target]:
            return prepare(batch) if prepare else (_first_of(batch), target)

        count = len(batches) if isinstance(batches, Sized) else None
        with Progress.fitting(quiet=not progress).stage("explain", count, "batches") as advance:
            for x, wanted in ahead(batches, made_ready, device):
                yield self(x, wanted, seed, **options)
                advance(1)

    def with_recipe(self, recipe: Recipe | str) -> "Explainer":
        """An explainer of the same model by another recipe, which need not read the model again."""
        output, capture, compile_ = self.output, self.capture, self.compile
        other = Explainer(self.model, recipe, output=output, capture=capture, compile=compile_)
        other._programs = self._programs.by(other.recipe)
        return other

    def save(self, path: str | Path) -> None:
        """Write what was read of the model, and the recipe, for `load` in another session.

        A .safetensors file without the model's weights; it cannot run code.
        Raises InputError if nothing was read yet, or for a rule of one's own; FileError for a path
        that cannot be written.
        """
        read = self._programs.read()
        if not read:
            raise InputError(
                "an explainer that has read no model yet",
                "one that was called, or that made a plan",
                "call explainer.plan(x) first, for each shape of x",
            )
        write_plans(Path(path), Saved(self.recipe, self.output, read))

    @classmethod
    def load(cls, path: str | Path, model: nn.Module) -> "Explainer":
        """An explainer that need not read `model` again for inputs of the shapes that were saved.

        At the first call for a shape the model is compared with what was saved, on one sample.
        Raises FileError for a file that `save` did not write.
        """
        saved = read_plans(Path(path))
        explainer = cls(model, saved.recipe, output=saved.output)
        explainer._programs = replace(explainer._programs, saved=saved.read)
        return explainer


def explain(
    model: nn.Module,
    x: Given,
    recipe: Recipe | str = "auto",
    target: Target = None,
    seed: Seed = "score",
) -> Explanation:
    """Run the model and explain it in one call: `Explainer(model, recipe)(x, target, seed)`."""
    return Explainer(model, recipe)(x, target, seed)


def _own(inputs: Inputs, create_graph: bool) -> Inputs:
    """Tensors that the record keeps, whatever becomes of the caller's."""
    tensors = inputs.tensors
    kept = {n: t.clone() if create_graph else t.detach().clone() for n, t in tensors.items()}
    return Inputs({**inputs.values, **kept}, inputs.positional, inputs.explained)


def _first_of(batch: Any) -> Any:
    return batch[0] if isinstance(batch, (list, tuple)) else batch


@contextmanager
def _arithmetic(create_graph: bool) -> Iterator[None]:
    """Without inference mode, and with autograd only where the caller asks for it."""
    with torch.inference_mode(False), torch.set_grad_enabled(create_graph):
        yield
