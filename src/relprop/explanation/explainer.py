"""The wrapper: run a model on a batch, then explain it. The package's public face.

Takes any module. Captures and plans once for each input shape, and runs the program that comes of
it. The model is read and never written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack

import torch
from torch import nn

from ..errors import InputError
from ..graph.inputs import Inputs
from ..plan.plan import Plan
from ..recipes.recipe import Recipe
from ..support.files import as_path
from ..support.progress import Progress
from .batching import fitting, joined, parts
from .check_inputs import Given, check_inputs
from .options import Options, Request, Seed, asked, check_flag
from .prefetch import ahead
from .program_cache import Programs
from .result import Explanation
from .run import run
from .saved_plans import Saved, read_plans, write_plans
from .targets import Target

Capture = Literal["export", "per-input"]


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
             A batch of one is compiled by itself. For one class of each sample as target, and
             without what looks at the way back: ledger, layers, only, create_graph, recompute

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
        check_flag("compile", compile)
        self.compile = compile
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
                _without_history(check_inputs(self.model, x, explain), False)
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
                      back: for very deep models, and not with ledger
        Without ledger, layers and only, what the output reads at few positions, such as one token
        of a transformer's last layer, is computed there alone.
        Raises RelpropError before anything runs if an argument is wrong, or an operation has no
        rule; and after it if the result is not finite.
        """
        request = asked(
            seed,
            compiled=self.compile,
            ledger=ledger,
            layers=layers,
            only=only,
            create_graph=create_graph,
            batch_size=batch_size,
            memory=memory,
            recompute=recompute,
        )
        return self._explain(x, target, request, explain)

    def _explain(
        self, x: Given, target: Target, request: Request, explain: str | tuple[str, ...] | None
    ) -> Explanation:
        with _arithmetic(request.create_graph):
            inputs = _without_history(check_inputs(self.model, x, explain), request.create_graph)
            size = self._batch_size(inputs, target, request)
            each = (self._run(*part, request) for part in parts(inputs, target, size))
            return joined(each, inputs)

    def _run(self, inputs: Inputs, target: Any, request: Request) -> Explanation:
        return run(self._programs.made(inputs), self.model, inputs, target, request)

    def _batch_size(self, inputs: Inputs, target: Any, request: Request) -> int:
        """How many samples are explained at a time."""
        size = min(inputs.batch, request.batch_size or inputs.batch)
        if request.memory is None or size == 1:
            return size
        self._programs.made(inputs)  # so that what is kept for good is not counted
        fits = fitting(inputs, partial(self._run, request=request), target, request.memory)
        return min(size, fits)

    def map(
        self,
        batches: Iterable[Any],
        target: Target = None,
        seed: Seed = "score",
        *,
        prepare: Callable[[Any], tuple[Given, Target]] | None = None,
        progress: bool = True,
        explain: str | tuple[str, ...] | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Explanation]:
        """Explain a data set, batch by batch; the next is loaded while one is explained.

        batches   a torch DataLoader, or any iterable that gives each batch memory of its own. Of a
                  list or tuple, as loaders give of (input, label), the first is explained
        prepare   from what `batches` gives to (x, target), where these are found otherwise
        progress  show on stderr how far it is
        Tensors are moved to the model's device. The rest is as for a call.
        """
        check_flag("progress", progress)
        if not isinstance(batches, Iterable):
            given = f"batches of type {type(batches).__name__}"
            todo = "write DataLoader(dataset, batch_size=64), or x.split(64) of a tensor"
            raise InputError(given, "an iterable that gives batches", todo)
        if prepare is not None and target is not None:
            given = f"target {target!r} beside prepare, which returns one with each batch"
            raise InputError(given, "one of them", "return (x, target) from prepare")
        request = asked(seed, compiled=self.compile, **options)
        return self._each(
            batches, prepare or (lambda b: (_first_of(b), target)), request, explain, progress
        )

    def _each(
        self,
        batches: Iterable[Any],
        prepare: Callable[[Any], tuple[Given, Target]],
        request: Request,
        explain: str | tuple[str, ...] | None,
        progress: bool,
    ) -> Iterator[Explanation]:
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        count = len(batches) if isinstance(batches, Sized) else None
        with Progress.detect(quiet=not progress).stage("explain", count, "batches") as advance:
            for x, target in ahead(batches, partial(_pair, prepare), device):
                yield self._explain(x, target, request, explain)
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
        Raises InputError if nothing was read yet, for capture="per-input" and for a rule of one's
        own; FileError for a path that cannot be written.
        """
        if self.capture == "per-input":
            given = 'an explainer with capture="per-input", which keeps nothing of what it reads'
            raise InputError(given, 'capture="export"', "read the model anew in each session")
        read = self._programs.read()
        if not read:
            raise InputError(
                "an explainer that has read no model yet",
                "one that was called, or that made a plan",
                "call explainer.plan(x) first, for each shape of x",
            )
        write_plans(as_path(path), Saved(self.recipe, self.output, read))

    @classmethod
    def load(cls, path: str | Path, model: nn.Module) -> "Explainer":
        """An explainer that need not read `model` again for inputs of the shapes that were saved.

        At the first call for a shape the model is compared with what was saved, on one sample: that
        call raises CaptureError or PlanError if they differ.
        Raises FileError for a file that `save` did not write.
        """
        saved = read_plans(as_path(path))
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


def _without_history(inputs: Inputs, create_graph: bool) -> Inputs:
    """The same tensors as they go into a call: of no inference mode, and of no graph.

    With `create_graph` they are copies that stay in the caller's graph: later in-place changes of
    the caller's are none of what this graph is made of.
    """
    tensors = inputs.tensors
    kept = {
        n: t.clone() if create_graph or t.is_inference() else t.detach() for n, t in tensors.items()
    }
    return Inputs({**inputs.values, **kept}, inputs.positional, inputs.explained)


def _pair(prepare: Callable[[Any], Any], batch: Any) -> tuple[Given, Target]:
    """What `prepare` makes of a batch. Raises InputError if that is no pair."""
    found = prepare(batch)
    if not isinstance(found, tuple) or len(found) != 2:
        given = f"prepare returned a {type(found).__name__}"
        raise InputError(given, "a tuple (x, target)", "return x, None for what is predicted")
    return found


def _first_of(batch: Any) -> Any:
    return batch[0] if isinstance(batch, (list, tuple)) else batch


@contextmanager
def _arithmetic(create_graph: bool) -> Iterator[None]:
    """Without inference mode, and with autograd only where the caller asks for it."""
    with torch.inference_mode(False), torch.set_grad_enabled(create_graph):
        yield
