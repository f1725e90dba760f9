"""Time series to tensors: one length, a mask where lengths differ, standardised channels.

Takes series as `Dataset.samples` holds them, (channels, time) each. Gives float32 (n, channels,
time), padded with 0 at the end. Where lengths of the training part differ, one more last channel
is 1 where there is data. Must not know networks or training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import SampleData
from ..errors import InputError
from ..support.arguments import suggest

Standardise = Literal["channel", "series"]


@dataclass(frozen=True, eq=False)
class SeriesPreparation:
    """Makes tensors of series, as it was fitted on the training part.

    Attributes:
        shape: Channels, with the mask, and steps of a prepared series.
        masked: Whether the last channel is the mask.
        standardise: "channel": by mean and standard deviation of the channel in the training part;
            "series": by those of each series itself.
        mean: Of each channel, (channels, 1).
        std: Of each channel, (channels, 1); 1 for a constant one.
    """

    shape: tuple[int, int]
    masked: bool
    standardise: Standardise
    mean: Tensor
    std: Tensor
    vocabulary: ClassVar[int] = 0

    def apply(self, samples: SampleData) -> Tensor:
        """Prepare series, also ones that were not seen in training.

        Args:
            samples: n series, each (channels, time). Longer ones than in training are cut at the
                end, missing values (NaN) become the mean.

        Returns:
            float32 (n, *shape).

        Raises:
            InputError: A series has another number of channels, or no step.

        Example:
            >>> import numpy as np
            >>> preparation = fit_series([np.array([[1.0, 3.0]]), np.array([[2.0, 2.0]])])
            >>> preparation.apply([np.array([[2.0, np.nan, 5.0]])])
            tensor([[[0., 0.]]])
        """
        _check(samples, len(self.mean))
        values, present = _padded(samples, self.shape[1])
        standard = self._standardised(values, present)
        return torch.cat([standard, present.float()], 1) if self.masked else standard

    def _standardised(self, values: Tensor, present: Tensor) -> Tensor:
        known = present & values.isfinite()
        values = values.where(known, 0.0)
        mean, std = self.mean, self.std
        if self.standardise == "series":
            mean, std = _moments(values, known, dims=(2,))
        return ((values - mean) / std).where(known, 0.0)

    def remarks(self, samples: SampleData) -> tuple[str, ...]:
        """Say what happens to some of these series that does not to others, a sentence each."""
        steps = np.array([sample.shape[1] for sample in samples])
        missing = sum(bool(np.isnan(sample).any()) for sample in samples)
        longer, shorter = (steps > self.shape[1]).sum(), (steps < self.shape[1]).sum()
        filled = 0 if self.masked else shorter
        found = {
            f"are longer than {self.shape[1]} steps, and cut at the end": longer,
            f"are shorter than {self.shape[1]} steps, and filled with the mean": filled,
            "have missing values, which became the mean": missing,
        }
        return tuple(f"{n} of {len(steps)} series {what}" for what, n in found.items() if n)

    def describe(self) -> str:
        """Say in words what is done to a series."""
        by = {
            "channel": "each channel standardised by the training part",
            "series": "each channel of a series standardised by itself",
        }[self.standardise]
        mask = ", padded and with a mask" if self.masked else ""
        return f"{len(self.mean)} x {self.shape[1]} series, {by}{mask}"

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what `restore` takes: values that JSON has, and tensors."""
        plain = {"shape": list(self.shape), "masked": self.masked, "standardise": self.standardise}
        return plain, {"mean": self.mean, "std": self.std}

    @classmethod
    def restore(
        cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> "SeriesPreparation":
        """Make the preparation again from its state."""
        channels, steps = state["shape"]
        standardise = cast(Standardise, state["standardise"])
        return cls((channels, steps), state["masked"], standardise, tensors["mean"], tensors["std"])


def fit_series(samples: SampleData, standardise: str = "channel") -> SeriesPreparation:
    """Fit the preparation of series on the training part.

    Args:
        samples: Series of the training part, each (channels, time); lengths may differ.
        standardise: "channel" or "series"; see `SeriesPreparation`.

    Returns:
        The preparation. Series are as long as the longest one of the training part.

    Raises:
        InputError: An unknown `standardise`, no series, or one that differs in channels, has no
            step, or nothing but missing values.

    Example:
        >>> import numpy as np
        >>> fit_series([np.ones((2, 5)), np.ones((2, 3))]).shape
        (3, 5)
    """
    names = get_args(Standardise)
    if standardise not in names:
        raise InputError(
            f"standardise = {standardise!r}", ", ".join(names), suggest(standardise, names)
        )
    if len(samples) == 0:
        raise InputError("no series to train on", "at least one", "give a larger training part")
    _check(samples, samples[0].shape[0])
    steps = [sample.shape[1] for sample in samples]
    values, present = _padded(samples, max(steps))
    known = present & values.isfinite()
    mean, std = _moments(values.where(known, 0.0), known, dims=(0, 2))
    masked = min(steps) < max(steps)
    shape = (len(mean[0]) + masked, max(steps))
    return SeriesPreparation(shape, masked, cast(Standardise, standardise), mean[0], std[0])


def _moments(values: Tensor, known: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of known entries, 0 and 1 where there are none."""
    count = known.sum(dims, keepdim=True).clamp(min=1)
    mean = values.sum(dims, keepdim=True) / count
    square = (values - mean).square().where(known, 0.0)
    std = (square.sum(dims, keepdim=True) / count).sqrt()
    return mean, std.where(std > 1e-6 * (1 + mean.abs()), 1.0)  # constant but for rounding


def _padded(samples: SampleData, steps: int) -> tuple[Tensor, Tensor]:
    """Return series as (n, channels, steps), 0 at the end, and where they are, (n, 1, steps)."""
    cut = [np.ascontiguousarray(sample[:, :steps].T, dtype=np.float32) for sample in samples]
    rows = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(s) for s in cut], batch_first=True)
    values = torch.nn.functional.pad(rows.transpose(1, 2), (0, steps - rows.shape[1]))
    lengths = torch.tensor([len(series) for series in cut])
    return values, (torch.arange(steps) < lengths[:, None])[:, None]


def _check(samples: SampleData, channels: int) -> None:
    """Raise InputError for a series of the wrong shape."""
    for place, sample in enumerate(samples):
        if sample.ndim != 2 or sample.shape[0] != channels or sample.shape[1] == 0:
            raise InputError(
                f"series {place} has shape {tuple(sample.shape)}",
                f"({channels}, time) with at least one step, as those trained on",
                f"give an array of {channels} rows, one a channel",
            )
