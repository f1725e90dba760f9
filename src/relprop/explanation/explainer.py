"""The `Explainer`: runs a model on a batch, then explains it. The package's public face.

Takes any module, which is read and never written: captures it, plans, and runs the program built.
What does it is imported at the first call, so that `import relprop` stays quick.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import torch
from torch import nn

from ..graph.inputs import Inputs
from ..recipes.recipe import Recipe
from ..support.files import as_path
from ..support.progress import ProgressOption, progress_of
from .batching import explain_in_parts
from .check_inputs import ModelInput, check_inputs
from .check_model import check_module
from .label_tensors import refuse_other_labels
from .options import Capture, Options, Request, check_arguments, check_buckets, make_request
from .prefetch import prefetch_pairs, prefetch_samples, with_progress
from .program_cache import ProgramCache
from .result import Explanation
from .targets import Target

if TYPE_CHECKING:
    from ..plan.plan import Plan


class Explainer:
    """Explains the outputs of a model by Layer-wise Relevance Propagation.

    May be used from several threads; captures take turns. New sizes run the model's forward a few
    times on a copy, forward hooks too. Computes in the model's own dtype, under the autocast that
    is on where it is called. Follows the numbers in parameters and buffers; by a new capture their
    shapes, modules, classes, modes, forward hooks, and attributes: numbers, text, functions,
    tensors, containers of up to 1000 of them, attributes and slots of objects, arguments of partial
    functions. Not followed: what forward writes, objects in objects, writes into numpy arrays and
    `tensor.data`, globals, closures, torch's settings: make a new explainer then.

    Args:
        model: Any torch.nn.Module, in eval mode.
        recipe: A `Recipe`, or the name of a preset; "auto" chooses one for the model's operations,
            and `plan` says which and why.
        output: Which tensor to explain, of a model that returns several: a key or an index. None:
            the only one, or the one called "logits".
        capture: "export" captures the model for the first shape of input, and for the second with
            those sizes open that differ; the plan says for which it is right. "per-input" captures
            it at every call, for these very numbers, if Python's `if` and `for` depend on them.
        compile: Run the forward and the backward pass as one function of torch.compile's, which
            takes a while at the first call. On a CUDA device it is recorded as a CUDA graph when a
            batch size comes again; of the last eight sizes, each of which holds its memory. A batch
            of one is compiled separately. For one class of each sample as target, and without the
            options ledger, layers, conditions, create_graph, recompute.

    Raises:
        InputError: An argument is wrong.

    Example:
        >>> import torch, relprop
        >>> from torch.nn import Linear, ReLU, Sequential
        >>> model = Sequential(Linear(4, 8), ReLU(), Linear(8, 3)).eval()
        >>> explainer = relprop.Explainer(model, "epsilon")
        >>> explanation = explainer(torch.ones(2, 4), target=1)
        >>> explanation.relevance.shape
        torch.Size([2, 4])
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
        model = check_module(model)
        check_arguments(recipe, capture, compile)
        recipe = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
        self._cache = ProgramCache.of(model, recipe, output, capture == "per-input")
        self._compile = compile

    @property
    def model(self) -> nn.Module:
        """The model that is explained, without torch.compile's wrapper. It does not change."""
        return self._cache.model

    @property
    def recipe(self) -> Recipe:
        """The recipe. `with_recipe` returns an explainer with another one."""
        return self._cache.recipe

    @property
    def output(self) -> str | int | None:
        """Which of several results of the model is explained."""
        return self._cache.output

    @property
    def capture(self) -> Capture:
        """How the model is captured: "export" or "per-input"."""
        return "per-input" if self._cache.per_input else "export"

    @property
    def compile(self) -> bool:
        """Whether programs run as one function of torch.compile's."""
        return self._compile

    def __repr__(self) -> str:
        return f"Explainer({type(self.model).__name__}, {self.recipe.name!r})"

    def plan(self, x: ModelInput, *, explain: str | tuple[str, ...] | None = None) -> "Plan":
        """Plan what happens at every operation for a batch like x. Print it to read it.

        Args:
            x: As for a call.
            explain: As for a call.

        Returns:
            A `Plan`: every operation, its rule, and why it got it.

        Raises:
            RelpropError: The model cannot be captured, or an operation has no rule.

        Example:
            >>> import torch, relprop
            >>> explainer = relprop.Explainer(torch.nn.Linear(2, 2).eval(), "epsilon")
            >>> [str(step.rule) for step in explainer.plan(torch.ones(1, 2)).steps]
            ['epsilon(epsilon=1e-06, relative=False)']
        """
        with torch.inference_mode(False), torch.no_grad():
            inputs = check_inputs(self.model, x, explain)
            return self._cache.get_or_build(inputs).program.plan

    def __call__(
        self, x: ModelInput, target: Target = None, **options: Unpack[Options]
    ) -> Explanation:
        """Run the model on x, then explain its output.

        Of a model that ends with a sigmoid or softmax the logits are explained: targets, also
        functions, refer to them. Without ledger, layers and conditions, what the output reads at
        few positions, such as one token of a transformer's last layer, is computed there alone.

        Args:
            x: What the model is called with: a tensor (batch, *features) of the model's dtype and
                on its device, or token ids (batch, length); a tuple of positional arguments; or a
                mapping of keyword arguments, as a tokenizer returns. For arrays, pictures, paths,
                frames and rows of a data set, an error has the line that makes it of them.
            target: None or "predicted"; a class; one class per sample, a tensor (batch,);
                "runner-up"; `relprop.at(...)` for one entry of an output of any shape; a pair
                (a, b) for the difference of their scores; a function from the output to one number
                per sample. A list of these, or "all" for every class: several targets.
            **options: Any of these:

                - initial: The initial relevance at the output. "score": the target's own score, to
                  which the relevance of the input sums where nothing is absorbed; "one": the same,
                  scaled to sum to 1.
                - explain: Label or labels of the inputs to explain; None: the first.
                - ledger: Account for all relevance, by operation and sample.
                - layers: Globs on names of modules whose output's relevance is wanted.
                - conditions: Glob on names of modules -> channels of their output that relevance
                  must pass: an index, a list, or a mask of a sample's shape (CRP, Achtibat et al.
                  2023). What goes around a module, as by a residual connection, is left out.
                  Modules in series must all be passed; parallel ones each keep what passes them.
                - keep_parallel: With conditions, keep what goes around their modules.
                - create_graph: Relevance can be differentiated by inputs and parameters.
                - batch_size: Explain so many samples at a time.
                - memory: Bytes: explain as many samples at a time as fit, estimated from one and
                  two samples.
                - recompute: Keep fewer values of the forward pass and compute the others again
                  (gradient checkpointing), for very deep models. Not with ledger.

        Returns:
            An `Explanation`.

        Raises:
            RelpropError: An argument is wrong, an operation has no rule, or a result is not finite.
        """
        return self._explain(x, target, make_request(options, self.model, self.recipe))

    def _explain(self, x: ModelInput, target: Target, request: Request) -> Explanation:
        with torch.inference_mode(False), torch.set_grad_enabled(request.create_graph):
            inputs = check_inputs(self._cache.model, x, request.explain, request.create_graph)
            refuse_other_labels(target, inputs.batch)
        return self._explain_inputs(inputs, target, request)

    def _explain_inputs(self, inputs: Inputs, target: Any, request: Request) -> Explanation:
        with torch.inference_mode(False), torch.set_grad_enabled(request.create_graph):
            if request.batch_size is None and request.memory is None:
                return self._explain_batch(inputs, target, request)
            self._cache.get_or_build(inputs)  # so that the memory of the capture is not counted
            explain = partial(self._explain_batch, request=request)
            return explain_in_parts(inputs, target, explain, request.batch_size, request.memory)

    def _explain_batch(self, inputs: Inputs, target: Any, request: Request) -> Explanation:
        if self._compile:
            from .run_compiled import run_compiled

            built = self._cache.get_or_build(inputs)
            return run_compiled(built, self._cache.model, inputs, target, request)
        from .run import explain_batch

        return explain_batch(self._cache, inputs, target, request)

    def map(
        self,
        batches: Iterable[Any],
        target: Target = None,
        *,
        prepare: Callable[[Any], tuple[ModelInput, Target]] | None = None,
        progress: ProgressOption = True,
        bucket_size: int | None = None,
        mask: str | None = "attention_mask",
        **options: Unpack[Options],
    ) -> Iterator[Explanation]:
        """Explain a data set batch by batch; the next batch is loaded while one is explained.

        Args:
            batches: A torch DataLoader, or any iterable that gives each batch memory of its own. Of
                a list or tuple, as loaders give of (input, label), the first item is explained.
                Tensors are moved to the model's device.
            target: As for a call.
            prepare: Takes a batch, and returns (x, target), where these are found otherwise.
            progress: Whether to show progress on stderr.
            bucket_size: Items are single samples of any shapes, as calls take them: (1, ...). So
                many share a batch at most: of equal shape or, with a mask, padded at the end to at
                most twice their length. Targets refer to each sample's own output. Batches are made
                of 8 x bucket_size samples at a time; as many are loaded meanwhile.
            mask: With bucket_size: the argument (1, length) that says which positions count.
                Nothing is padded without it, or for None.
            **options: As for a call.

        Yields:
            The `Explanation` of each batch; with `bucket_size` of each sample, in the order given,
            as a call gives it for the sample alone.

        Raises:
            InputError: An argument is wrong; padding receives relevance, or it changes results:
                one sample of the first padded batch of each form is also explained alone.

        Example:
            >>> import torch, relprop
            >>> explainer = relprop.Explainer(torch.nn.Linear(4, 3).eval(), "epsilon")
            >>> [len(e.output) for e in explainer.map(torch.ones(6, 4).split(2), progress=False)]
            [2, 2, 2]
        """
        check_buckets(bucket_size, mask)
        shown, request = progress_of(progress), make_request(options, self.model, self.recipe)
        if bucket_size is None:
            pairs = prefetch_pairs(batches, prepare, target, self.model, shown)
            return (self._explain(x, one, request) for x, one in pairs)
        from .buckets import Buckets

        buckets = Buckets(self.model, self._explain_inputs, request, bucket_size, mask)
        windows = prefetch_samples(batches, prepare, target, self.model, buckets.window)
        return with_progress(buckets.explain_all(windows), shown, batches, "samples")

    def with_recipe(self, recipe: Recipe | str) -> "Explainer":
        """Return an explainer of the same model by another recipe, which shares captured graphs.

        Args:
            recipe: A `Recipe` or the name of a preset.
        """
        other = Explainer(
            self.model, recipe, output=self.output, capture=self.capture, compile=self.compile
        )
        other._cache = self._cache.with_recipe(other.recipe)
        return other

    def save(self, path: str | Path) -> None:
        """Write the captured graphs and the recipe, for `load` in another session.

        Writes a .safetensors file without the model's weights; it cannot run code.

        Args:
            path: The file.

        Raises:
            InputError: Nothing was captured yet, for capture="per-input", and for custom rules.
            FileError: The file cannot be written.
        """
        from .saved_plans import save_graphs  # with its file formats, loaded on use

        save_graphs(as_path(path), self._cache)

    @classmethod
    def load(cls, path: str | Path, model: nn.Module) -> "Explainer":
        """Return an explainer that need not capture `model` for the shapes that were saved.

        At the first call for a shape, model and saved graph are compared on a sample and multiples
        of it: that call raises CaptureError or PlanError if they differ.

        Args:
            path: A file that `save` wrote.
            model: The model, in eval mode.

        Raises:
            FileError, CaptureError: `save` did not write the file, or it is of another model.

        Example:
            >>> import torch, relprop, tempfile
            >>> model = torch.nn.Linear(4, 3).eval()
            >>> explainer = relprop.Explainer(model, "epsilon")
            >>> _ = explainer.plan(torch.ones(2, 4))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     explainer.save(f"{folder}/model.plans")
            ...     loaded = relprop.Explainer.load(f"{folder}/model.plans", model)
            >>> loaded.recipe == explainer.recipe
            True
        """
        from .saved_plans import read_for

        saved, described = read_for(model, as_path(path))
        explainer = cls(model, saved.recipe, output=saved.output)
        explainer._cache = replace(explainer._cache, saved=saved.captured, saved_of=described)
        return explainer
