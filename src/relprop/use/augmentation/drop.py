"""The most relevant regions of inputs, or of what a module returns, masked while training.

Takes a model that is being trained, a batch and its labels. Gives the batch without these regions,
or the model's output without them. Must not know the training loop.

n  samples    c  channels    g  blocks of a sample
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...recipes.recipe import Recipe
from ...support.arguments import suggest
from ...support.torch_private import uncompiled
from .blocks import Blocks, choose_blocks, choose_samples
from .in_training import TrainingExplainer, check_batch, check_fraction


class RelevanceDrop:
    """Mask what the network in training relies on most, so that it learns to use the rest.

    Of some samples of a batch, relevance of the true class is computed by the present weights, in
    eval mode. Of each of these samples a fixed share of blocks is masked: those whose relevance
    ranks highest, mixed with chance. The block with rank r of g (0: most relevant) has the key
    (1 - randomness) (1 - r / (g - 1)) + randomness u with u uniform in [0, 1), and the round(share
    g) blocks with the largest keys are masked.

    An explained sample costs a forward pass and a backward pass to the input, so that half of a
    batch adds about 40 % to a step. The model is left as it was: modes, hooks, state. It is
    captured once for each shape of sample. Random numbers are torch's global ones: which samples,
    then the noise of the blocks.

    Args:
        share: Which share of a sample's blocks is masked, above 0 and below 1.
        block: Side of a block: entries along each dimension after the channels. Of samples (n, d),
            consecutive features.
        layer: Name of the module whose output is masked, as `model.named_modules()` names it; None:
            the input. Name the activation rather than the layer before it.
        probability: Which share of the samples of a batch is masked, above 0 to 1.
        randomness: 0: exactly the most relevant blocks; 1: any, as random erasing, without
            explaining.
        fill: What masked entries are set to: 0 is the mean of standardised inputs.
        recipe: A `Recipe` or the name of a preset.

    Raises:
        InputError: An argument is wrong.

    Example:
        >>> import torch
        >>> from relprop.use import RelevanceDrop
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
        >>> x, y = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> drop = RelevanceDrop(share=0.25, block=4, probability=1.0)
        >>> loss = torch.nn.functional.cross_entropy(model(drop(model, x, y)), y)
        >>> loss.backward()

    Source: Gururaj et al. 2025, "Relevance-driven input dropout: an explanation-guided
    regularization technique", arXiv 2505.21595, whose blocks are single rectangles around the most
    relevant pixel; for hidden values compare Zunino et al. 2021, "Excitation dropout".
    """

    def __init__(
        self,
        share: float = 0.25,
        block: int = 4,
        *,
        layer: str | None = None,
        probability: float = 0.5,
        randomness: float = 0.3,
        fill: float = 0.0,
        recipe: Recipe | str = "auto",
    ) -> None:
        check_fraction("share", share)
        check_fraction("probability", probability, one=True)
        check_fraction("randomness", randomness, zero=True, one=True)
        check_block(block)
        _check_layer(layer)
        _check_fill(fill)
        self.share, self.block, self.layer = share, block, layer
        self.probability, self.randomness, self.fill = probability, randomness, fill
        self._explain = TrainingExplainer(recipe)

    def __call__(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Mask regions of a batch of inputs.

        Args:
            model: The model in training, in any mode; its output is (n, classes).
            x: The batch, (n, d) or (n, c, *places).
            y: True class of each sample, (n,).

        Returns:
            A copy of x with masked regions, of its shape.

        Raises:
            InputError: An argument does not fit, or a `layer` was named.
            RelpropError: The model cannot be captured or explained, or its output is not finite.
        """
        if self.layer is not None:
            given = f'a call with layer="{self.layer}", which masks no input'
            todo = "write logits = drop.forward(model, x, y)"
            raise InputError(given, "`forward`, which masks the output of a module", todo)
        check_batch(x, y)
        Blocks.of(x.shape, self.block).number_of(self.share)
        samples = choose_samples(len(x), self.probability, x.device)
        if not len(samples):
            return x.clone()
        return self._mask(x, samples, self._relevance(model, x, y, samples))

    def forward(self, model: nn.Module, x: Tensor, y: Tensor) -> Any:
        """Call the model on a batch of which regions are masked, at the input or at `layer`.

        Args:
            model: As for a call of this object.
            x: As there.
            y: As there.

        Returns:
            What the model returns.

        Raises:
            InputError: An argument does not fit; `layer` names no module, or one that does not
                return one tensor, once in a forward pass.
            RelpropError: As for a call.
        """
        if self.layer is None:
            return model(self(model, x, y))
        check_batch(x, y)
        module = _named(model, self.layer)
        samples = choose_samples(len(x), self.probability, x.device)
        if not len(samples):
            return model(x)
        relevance = self._relevance(model, x, y, samples)
        calls: list[Tensor] = []

        def mask(_: nn.Module, __: Any, output: Any) -> Tensor:
            calls.append(self._mask(_one_tensor(output, self.layer), samples, relevance))
            return calls[-1]

        hook = module.register_forward_hook(mask)
        try:
            output = model(x)
        finally:
            hook.remove()
        if len(calls) != 1:
            raise _not_once(self.layer, f"which the model called {len(calls)} times")
        return output

    def _relevance(self, model: nn.Module, x: Tensor, y: Tensor, samples: Tensor) -> Tensor | None:
        """Return relevance of the samples' true classes; None where only chance decides."""
        if self.randomness == 1:
            return None
        x, y = x.detach()[samples], y[samples]
        if self.layer is None:
            return self._explain(model, x, y).relevance
        found = self._explain(model, x, y, layers=[self.layer]).layers[self.layer]
        relevance = _one_tensor(found, self.layer)
        Blocks.of(relevance.shape, self.block).number_of(self.share)  # before train mode runs
        return relevance

    def _mask(self, values: Tensor, samples: Tensor, relevance: Tensor | None) -> Tensor:
        """Mask blocks of some samples of inputs or hidden values, (n, ...)."""
        blocks = Blocks.of(values.shape, self.block)
        number = blocks.number_of(self.share)
        if relevance is None:
            sums = torch.zeros(len(samples), blocks.count, device=values.device)
        else:
            sums = blocks.sums(relevance)
        entries = blocks.entries(choose_blocks(sums, number, self.randomness))
        mask = torch.zeros(len(values), *entries.shape[1:], dtype=torch.bool, device=values.device)
        return values.masked_fill(mask.index_copy(0, samples, entries), self.fill)


def _named(model: nn.Module, layer: str) -> nn.Module:
    """Return the module of a name. Raises InputError if there is none."""
    modules: dict[str, nn.Module] = dict(uncompiled(model).named_modules())
    modules.pop("", None)
    if layer not in modules:
        listed = ", ".join(f'"{name}"' for name in list(modules)[:12])
        todo = suggest(layer, modules, otherwise="choose a name of model.named_modules()")
        raise InputError(f'layer "{layer}"', f"a name of a module: {listed}", todo)
    return modules[layer]


def _one_tensor(output: Any, layer: str | None) -> Tensor:
    if isinstance(output, Tensor) and output.ndim > 1:
        return output
    what = f"a {type(output).__name__}" if not isinstance(output, Tensor) else "one number each"
    raise _not_once(layer, f"whose output is {what}")


def _not_once(layer: str | None, what: str) -> InputError:
    return InputError(
        f'the module "{layer}", {what}',
        "a module that runs once in a forward pass, uncompiled, and returns a tensor (n, ...)",
        "name another one, such as an activation between two layers",
    )


def _check_layer(layer: object) -> None:
    if layer is not None and not isinstance(layer, str):
        given = f"layer is {layer!r}" if isinstance(layer, int) else "a layer that is no name"
        allowed = "the name of a module, as model.named_modules() has it"
        raise InputError(given, allowed, f'write layer="{layer if isinstance(layer, int) else 1}"')


def _check_fill(fill: object) -> None:
    number = isinstance(fill, (int, float)) and not isinstance(fill, bool)
    if not number or not math.isfinite(fill):  # type: ignore[arg-type]
        raise InputError(f"fill is {fill!r}", "a finite number", "write fill=0.0")


def check_block(block: object) -> None:
    """Raise InputError unless the side of a block is a whole number above 0."""
    if not isinstance(block, int) or isinstance(block, bool) or block < 1:
        raise InputError(f"block is {block!r}", "a whole number > 0", "write block=4")
