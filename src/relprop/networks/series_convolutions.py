"""Convolutional networks for series: FCN-like, InceptionTime-like, and a stack that halves time.

Gives modules that map (n, channels, time) to scores (n, outputs). Must not know data or training.
Sources: Wang, Yan, Oates 2017 (FCN); Ismail Fawaz et al. 2020 (InceptionTime).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from .family import Facts, Settings
from .series_inputs import (
    SERIES_ACTIVATIONS,
    Halve,
    MeanHead,
    SeriesBlock,
    channels,
    convolution1d,
    split_mask,
)

SHORT = 48  # steps: kernels of nine would span much of a shorter series
RESIDUAL_EVERY = 3  # Inception blocks between two additions of what came before


class FCN(nn.Module):
    """Three convolutions, width, 2 width and width features wide, and the mean over time."""

    def __init__(self, settings: Settings, facts: Facts) -> None:
        super().__init__()
        kinds = str(settings["normalisation"]), str(settings["activation"])
        width = int(settings["width"])
        sizes = (channels(facts), width, 2 * width, width)
        kernels = (5 if facts.shape[1] < SHORT else 9, 5, 3)
        self.masked = facts.masked
        self.blocks = nn.ModuleList(
            SeriesBlock(*convolution1d(a, b, kernel, *kinds))
            for a, b, kernel in zip(sizes, sizes[1:], kernels, strict=False)
        )
        self.halve = Halve() if settings["halve"] else None
        self.head = MeanHead(width, facts.outputs, float(settings["dropout"]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, time) to (n, outputs)."""
        h, present = split_mask(x, self.masked)
        for place, block in enumerate(self.blocks):
            h = block(h, present)
            if place == 0 and self.halve is not None:
                h, present = self.halve(h, present)
        return self.head(h, present)  # type: ignore[no-any-return]


class Inception(nn.Module):
    """Blocks of three kernel lengths and a maximum, with additions of what came before."""

    def __init__(self, settings: Settings, facts: Facts) -> None:
        super().__init__()
        width, depth = int(settings["width"]), int(settings["depth"])
        activation = str(settings["activation"])
        self.masked = facts.masked
        self.halve = Halve() if settings["halve"] else None
        sizes = [channels(facts)] + [4 * width] * depth
        self.blocks = nn.ModuleList(
            _InceptionBlock(sizes[i], width, facts.shape[1], activation) for i in range(depth)
        )
        self.shortcuts = nn.ModuleDict(
            {
                str(i): nn.Sequential(
                    nn.Conv1d(sizes[i + 1 - RESIDUAL_EVERY], 4 * width, 1, bias=False),
                    nn.BatchNorm1d(4 * width),
                )
                for i in range(RESIDUAL_EVERY - 1, depth, RESIDUAL_EVERY)
            }
        )
        self.activation = SeriesBlock(SERIES_ACTIVATIONS[activation]())
        self.head = MeanHead(4 * width, facts.outputs, float(settings["dropout"]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, time) to (n, outputs)."""
        h, present = split_mask(x, self.masked)
        if self.halve is not None:
            h, present = self.halve(h, present)
        before = h
        for place, block in enumerate(self.blocks):
            h = block(h, present)
            if str(place) in self.shortcuts:
                h = self.activation(h + self.shortcuts[str(place)](before), present)
                before = h
        return self.head(h, present)  # type: ignore[no-any-return]


class _InceptionBlock(nn.Module):
    """A bottleneck seen through three kernels, beside the maximum of three steps."""

    def __init__(self, inputs: int, width: int, steps: int, activation: str) -> None:
        super().__init__()
        longest = min(39, max(9, steps // 4)) | 1  # odd, so that the same steps lie on both sides
        narrow = min(inputs, width)
        squeeze = nn.Conv1d(inputs, narrow, 1, bias=False)
        self.bottleneck = squeeze if inputs > width else nn.Identity()
        self.kernels = nn.ModuleList(
            nn.Conv1d(narrow, width, kernel, padding="same", bias=False)
            for kernel in (longest, longest // 2 | 1, longest // 4 | 1)
        )
        self.maximum = nn.MaxPool1d(3, 1)
        self.after_maximum = nn.Conv1d(inputs, width, 1, bias=False)
        self.last = SeriesBlock(nn.BatchNorm1d(4 * width), SERIES_ACTIVATIONS[activation]())

    def forward(self, h: Tensor, present: Tensor) -> Tensor:
        """Map (n, features, time) to (n, 4 width, time)."""
        narrow = self.bottleneck(h)
        seen = [kernel(narrow) for kernel in self.kernels]
        padded = nn.functional.pad(h, (1, 1))  # with 0, as padding in the series is
        seen.append(self.after_maximum(self.maximum(padded)))
        return self.last(torch.cat(seen, 1), present)  # type: ignore[no-any-return]


class CNN1d(nn.Module):
    """Convolutions of growing width; after each, time is halved."""

    def __init__(self, settings: Settings, facts: Facts) -> None:
        super().__init__()
        kinds = str(settings["normalisation"]), str(settings["activation"])
        width, depth = int(settings["width"]), int(settings["depth"])
        kernel = int(settings["kernel"])
        sizes = [channels(facts), *(width * min(2**i, 4) for i in range(depth))]
        self.masked = facts.masked
        self.blocks = nn.ModuleList(
            SeriesBlock(*convolution1d(a, b, kernel, *kinds)) for a, b in pairwise(sizes)
        )
        self.halve = Halve()
        self.head = MeanHead(sizes[-1], facts.outputs, float(settings["dropout"]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, time) to (n, outputs)."""
        h, present = split_mask(x, self.masked)
        for block in self.blocks:
            h, present = self.halve(block(h, present), present)
        return self.head(h, present)  # type: ignore[no-any-return]
