"""Removes the channels of a model that carry the least relevance: a smaller copy, and its record.

Takes a model and samples with their classes. Gives a PrunedModel. Must not know files.

n  samples
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ...errors import InputError
from ...explanation.check_model import check_module
from ...recipes.recipe import Recipe
from ...support.arguments import check_seed
from .groups import ChannelGroup, Prunable, find_groups, remove_channels
from .relevance import channel_relevance, draw_samples
from .selection import Ranking, choose_removed

_BATCH = 256  # samples of a forward pass


@dataclass(frozen=True)
class PrunedLayer:
    """Layers that lost the same channels.

    Attributes:
        name: Dotted name of the layer that the channels are counted at.
        coupled: Names of the layers that lost the same ones, as residual connections ask for.
        before: How many channels or neurons there were.
        removed: Places of those that were removed.
    """

    name: str
    coupled: tuple[str, ...]
    before: int
    removed: tuple[int, ...]

    @property
    def after(self) -> int:
        """How many are left."""
        return self.before - len(self.removed)


@dataclass(frozen=True)
class ModelSize:
    """How large a model is.

    Attributes:
        parameters: Number of weights.
        macs: Multiplications with addition, of one sample, in convolutions and matrix products.
    """

    parameters: int
    macs: int


@dataclass(frozen=True, eq=False)
class PrunedModel:
    """A model with fewer channels, and what it lost. Print it to read it.

    Attributes:
        model: The smaller copy, in eval mode, with its parameters as trainable as those were.
        layers: What was removed.
        whole: Name of a layer that kept all its channels -> why.
        size_before: Of the model that was given.
        size_after: Of the copy.
        accuracy_before: Share of the test samples that the given model classifies correctly.
        accuracy_after: Share that the copy classifies correctly.
        tested: Number of these samples.
        samples: Number of the samples whose relevance was computed.
    """

    model: nn.Module
    layers: tuple[PrunedLayer, ...]
    whole: Mapping[str, str]
    size_before: ModelSize
    size_after: ModelSize
    accuracy_before: float
    accuracy_after: float
    tested: int
    samples: int

    @property
    def sparsity(self) -> float:
        """Share of the channels that was removed, coupled ones counted once."""
        return sum(len(one.removed) for one in self.layers) / sum(one.before for one in self.layers)

    def __str__(self) -> str:
        rows = [f"{one.name}: {one.before} -> {one.after}{_beside(one)}" for one in self.layers]
        rows += [f"{name}: whole, since {reason}" for name, reason in self.whole.items()]
        before, after = self.size_before, self.size_after
        return "\n".join(
            [
                f"{self.sparsity:.1%} of the channels removed, ranked on {self.samples} samples",
                *rows,
                f"parameters: {before.parameters:,} -> {after.parameters:,}",
                f"multiplications of a sample: {before.macs:,} -> {after.macs:,}",
                f"accuracy: {self.accuracy_before:.2%} -> {self.accuracy_after:.2%} "
                f"of {self.tested:,} samples",
            ]
        )


def prune_channels(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    sparsity: float = 0.5,
    *,
    samples_per_class: int = 10,
    ranking: Ranking = "global",
    recipe: Recipe | str = "auto",
    keep: Sequence[str] = (),
    test: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
) -> PrunedModel:
    """Remove the channels and neurons that carry the least relevance for the true classes.

    Channels that must go together, as residual connections and depthwise convolutions ask for, are
    ranked by the sum of what they carry. Layers that cannot lose channels stay whole, and `whole`
    says why: the output, grouped convolutions, tied weights, the width of attention.

    Args:
        model: A classifier, in eval mode: (n, *features) to scores (n, classes). Not changed.
        x: Samples that it was trained on, or like them, (n, *features).
        y: Class of each, (n,).
        sparsity: Share of the channels that is removed, in [0, 1).
        samples_per_class: How many of each class are explained, drawn at random; all, if there are
            fewer.
        ranking: "global": the lowest of the whole model. "layer": the same share of each layer.
        recipe: How relevance is computed, as for `Explainer`.
        keep: Globs on names of layers that keep all their channels.
        test: Samples and classes that accuracy is measured on; None: x and y.
        seed: Random seed of the draw.

    Returns:
        A record with the smaller model.

    Raises:
        InputError: An argument is wrong, a layer would be empty, or nothing can be removed.
        MissingExtraError: torch-pruning, of the extra "prune", is not installed.

    Example:
        >>> import torch, relprop.use
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
        >>> x, y = torch.randn(20, 4), torch.arange(20) % 2
        >>> relprop.use.prune_channels(model, x, y, sparsity=0.5).model
        Sequential(
          (0): Linear(in_features=4, out_features=4, bias=True)
          (1): ReLU()
          (2): Linear(in_features=4, out_features=2, bias=True)
        )

    Source: Yeom et al. 2021, "Pruning by explaining: a novel criterion for deep neural network
    pruning"; Hatefi et al. 2024, "Pruning by explaining revisited".
    """
    model = check_module(model)
    _check_options(sparsity, samples_per_class, ranking, seed)
    if any(module.training for module in model.modules()):
        given = "a model in training mode, whose statistics a forward pass would change"
        raise InputError(given, "a model in eval mode", "write model.eval()")
    _check_samples(model, x, y, "x", "y")
    if not bool((y != y[:1]).any()):
        given = f"{len(y)} samples of one class"
        allowed = "samples of two classes at least: relevance for one says nothing of the others"
        raise InputError(given, allowed, "pass samples of every class that the model tells apart")
    tested = (x, y) if test is None else test
    _check_samples(model, *tested, "test[0]", "test[1]")
    prunable = find_groups(model, x, keep)
    choose_removed(prunable.groups, _zeros(prunable), sparsity, ranking)  # before computing
    rows = draw_samples(y, samples_per_class, seed).to(x.device)
    scores = channel_relevance(model, x[rows], y[rows], prunable.layers, recipe)
    removed = choose_removed(prunable.groups, scores, sparsity, ranking)
    pruned = remove_channels(model, x[:1], removed)
    return PrunedModel(
        model=pruned,
        layers=tuple(_layer(group, removed[group.name]) for group in prunable.groups),
        whole=prunable.whole,
        size_before=measure_size(model, x[:1]),
        size_after=measure_size(pruned, x[:1]),
        accuracy_before=accuracy(model, *tested),
        accuracy_after=accuracy(pruned, *tested),
        tested=len(tested[1]),
        samples=len(rows),
    )


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Return the share of samples that are classified correctly.

    Args:
        model: The model, in eval mode.
        x: Samples, (n, *features).
        y: Class of each, (n,).
    """
    with torch.no_grad():
        right = [
            model(part).argmax(1) == true
            for part, true in zip(torch.split(x, _BATCH), torch.split(y, _BATCH), strict=True)
        ]
    return float(torch.cat(right).double().mean())


def measure_size(model: nn.Module, x: Tensor) -> ModelSize:
    """Count weights, and multiplications of one sample.

    Args:
        model: The model, in eval mode.
        x: A sample, (1, *features).
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    return ModelSize(sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2)


def _layer(group: ChannelGroup, removed: tuple[int, ...]) -> PrunedLayer:
    coupled = tuple(name for name in group.places if name != group.name)
    return PrunedLayer(group.name, coupled, group.size, removed)


def _beside(layer: PrunedLayer) -> str:
    return f", with {', '.join(layer.coupled)}" if layer.coupled else ""


def _zeros(prunable: Prunable) -> dict[str, Tensor]:
    sizes = {
        name: int(own.max()) + 1
        for group in prunable.groups
        for name, (own, _) in group.places.items()
    }
    return {name: torch.zeros(size) for name, size in sizes.items()}


def _check_options(sparsity: Any, samples_per_class: Any, ranking: Any, seed: Any) -> None:
    """Raise InputError for a value that no pruning has."""
    number = isinstance(sparsity, (int, float)) and not isinstance(sparsity, bool)
    if not number or not 0 <= sparsity < 1:
        given = f"sparsity is {sparsity!r}"
        raise InputError(given, "a share from 0 to less than 1", "write sparsity=0.5")
    if type(samples_per_class) is not int or samples_per_class < 1:
        given = f"samples_per_class is {samples_per_class!r}"
        raise InputError(given, "a whole number from 1", "write samples_per_class=10")
    if ranking not in ("global", "layer"):
        given = f"ranking is {ranking!r}"
        raise InputError(given, '"global" or "layer"', 'write ranking="global"')
    check_seed(seed)


def _check_samples(model: nn.Module, x: Any, y: Any, x_name: str, y_name: str) -> None:
    """Raise InputError unless these are samples with classes that the model tells apart."""
    for name, value in ((x_name, x), (y_name, y)):
        if not isinstance(value, Tensor):
            given = f"{name} is of type {type(value).__name__}"
            raise InputError(given, "a tensor", f"write {name}=torch.as_tensor({name})")
    if y.ndim != 1 or y.is_floating_point() or len(y) != len(x):
        given = f"{y_name} of shape {tuple(y.shape)} and {y.dtype}, for {len(x)} samples"
        raise InputError(
            given, "a class for each sample, (n,), whole numbers", f"write {y_name}.long()"
        )
    with torch.no_grad():
        scores = model(x[:1])
    shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape[1] <= int(y.max()):
        given = f"a model that returns {shape} for a sample, and classes up to {int(y.max())}"
        raise InputError(given, "scores (n, classes)", "pass a classifier, and classes from 0")
