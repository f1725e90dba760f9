"""What a pruned model lost, and what it can still do.

Takes models and samples with their classes. Gives records. Must not know how channels are chosen.

n  samples
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

_BATCH = 256  # samples of a forward pass


@dataclass(frozen=True)
class PrunedLayer:
    """Layers that lost the same channels.

    Attributes:
        name: Dotted name of the layer that the channels are counted at.
        coupled: Names of the layers that lost the same ones, as residual connections ask for.
        before: How many channels, neurons or heads there were.
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
        heads: Attention whose heads could go, and those that went.
        whole: Name of a layer that kept all its channels or heads -> why.
        size_before: Of the model that was given.
        size_after: Of the copy.
        accuracy_before: Share of the test samples that the given model classifies correctly.
        accuracy_after: Share that the copy classifies correctly.
        tested: Number of these samples.
        samples: Number of the samples whose relevance was computed.
    """

    model: nn.Module
    layers: tuple[PrunedLayer, ...]
    heads: tuple[PrunedLayer, ...]
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
        rows += [f"{one.name}: {one.before} -> {one.after} heads{_gone(one)}" for one in self.heads]
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
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # whose operations are not counted
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return ModelSize(sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2)


def _beside(layer: PrunedLayer) -> str:
    return f", with {', '.join(layer.coupled)}" if layer.coupled else ""


def _gone(layer: PrunedLayer) -> str:
    return f", without {', '.join(map(str, layer.removed))}" if layer.removed else ""
