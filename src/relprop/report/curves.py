"""Removal curves of a report: relevance against a random order, and against one without a network.

Takes explained batches. Gives curves by fill and method.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..bundle_report.removal_units import long_enough, series_windows
from ..evaluate import MethodCurves, delete, hide, removal_curves, tokens
from ..explanation.result import Explanation
from ..plot.view import ViewKind
from ..support.output_kinds import OutputKind
from ..support.progress import Progress
from .batches import first_tensor
from .settings import Settings

CURVE_STEPS = 10
# What stands for removed values: a property of the fill does not hold under the other.
CURVE_FILLS: Mapping[ViewKind, tuple[str, ...]] = {
    "picture": ("mean", "blur"),
    "table": ("mean", "marginal"),
    "series": ("mean", "marginal"),
}
# Orders that know the samples alone: what does as well as relevance says little for it.
CONTROLS: Mapping[ViewKind, str] = {
    "picture": "brightest first (no network)",
    "table": "largest |value| first (no network)",
    "series": "largest |value| first (no network)",
    "text": "first word first (no network)",
}
LRP = "LRP"


class CurveSamples:
    """Samples that removal curves are measured on: every k-th of those that are explained.

    Args:
        wanted: How many, at most.
        total: How many samples are explained.
    """

    def __init__(self, wanted: int, total: int) -> None:
        self._every = max(1, total // wanted) if wanted else 0
        self._wanted = wanted
        self._seen = 0
        self._inputs: list[Any] = []
        self._relevance: list[Tensor] = []
        self._targets: list[Tensor | None] = []
        self.kind: OutputKind = "other"
        self.has_classes = False

    def add(self, inputs: Any, e: Explanation) -> None:
        """Keep some samples of a batch."""
        if not self._every:
            return
        rows = [i for i in range(len(e.output)) if (self._seen + i) % self._every == 0]
        rows = rows[: self._wanted - sum(map(len, self._relevance))]
        self._seen += len(e.output)
        self.kind, self.has_classes = e.head.kind, e.prediction is not None
        if rows:
            self._inputs.append(_rows(inputs, rows))
            self._relevance.append(e.relevance.detach()[rows])
            self._targets.append(None if e.target is None else e.target[rows])

    def joined(self) -> tuple[Any, Tensor, Tensor | None] | None:
        """Return inputs, relevance and targets; None where they cannot be one batch."""
        inputs = _joined(self._inputs)
        if inputs is None:
            return None
        relevance = _padded(self._relevance)
        known = [target for target in self._targets if target is not None and target.ndim == 1]
        targets = torch.cat(known) if len(known) == len(self._targets) else None
        return inputs, relevance, targets


def measure_curves(
    settings: Settings,
    model: nn.Module,
    kind: ViewKind,
    kept: CurveSamples,
    progress: Progress,
    *,
    masked: bool = False,
) -> Mapping[str, Mapping[str, MethodCurves]]:
    """Measure removal curves under each fill. Of texts, short ones are left out.

    Args:
        settings: Sizes of batches, and the seed.
        model: The model.
        kind: What the samples are.
        kept: Samples.
        progress: Shows the stages.
        masked: Of series: whether the last channel is 1 where there is data, 0 in the padding.

    Returns:
        Fill -> name of a method -> its curves; empty where there is nothing to measure: no classes,
        or texts without an attention mask.
    """
    joined = kept.joined() if kept.has_classes else None
    if joined is None:
        return {}
    inputs, relevance, targets = _long_texts(*joined) if kind == "text" else joined
    methods = {LRP: relevance, CONTROLS[kind]: _control(kind, inputs)}
    return {
        name: removal_curves(
            model,
            inputs,
            methods,
            target=targets,
            fill=fill,
            steps=min(CURVE_STEPS, unit_count(kind, inputs, units)),
            output_kind=kept.kind,
            units=units,
            batch_size=settings.batch_size * 4,
            seed=settings.seed,
            progress=progress,
        )
        for name, fill, units in removal_fills(kind, inputs, masked)
    }


def _long_texts(
    inputs: Any, relevance: Tensor, targets: Tensor | None
) -> tuple[Any, Tensor, Tensor | None]:
    """Leave out texts that are too short for the steps of the others."""
    rows = long_enough(present_tokens(inputs).sum(1), CURVE_STEPS).nonzero()[:, 0]
    kept = None if targets is None else targets[rows]
    return _rows(inputs, rows.tolist()), relevance[rows], kept


def present_tokens(inputs: Any) -> Tensor:
    """Tell which tokens are no padding.

    Args:
        inputs: Token ids, 0 of padding; or a mapping with an attention mask.
    """
    return (inputs if isinstance(inputs, Tensor) else inputs["attention_mask"]) != 0


def _rows(inputs: Any, rows: Sequence[int]) -> Any:
    if isinstance(inputs, Tensor):
        return inputs[rows]
    return {name: value[rows] for name, value in inputs.items()}


def _joined(inputs: Sequence[Any]) -> Any:
    """Join batches to one, texts padded by 0; None where they cannot be."""
    if not inputs:
        return None
    if isinstance(inputs[0], Tensor):
        shapes = {tuple(one.shape[1:]) for one in inputs}
        return torch.cat(list(inputs)) if len(shapes) == 1 else None
    if "attention_mask" not in inputs[0]:
        return None
    return {name: _padded([one[name] for one in inputs]) for name in inputs[0]}


def _padded(parts: Sequence[Tensor]) -> Tensor:
    """Join tensors (n, length, ...) of several lengths, padded by 0 at the end."""
    longest = max(part.shape[1] for part in parts)
    widened = [
        torch.cat([part, part.new_zeros(len(part), longest - part.shape[1], *part.shape[2:])], 1)
        for part in parts
    ]
    return torch.cat(widened)


def _control(kind: ViewKind, inputs: Any) -> Tensor:
    x = first_tensor(inputs)
    if kind == "text":
        return torch.arange(x.shape[1], 0, -1.0).expand(len(x), -1)
    if kind != "picture":
        return x.abs()
    return x.mean(1, keepdim=True).expand_as(x).contiguous()


def removal_fills(kind: ViewKind, inputs: Any, masked: bool) -> list[tuple[str, Any, Any]]:
    """Return the name of each fill, the fill, and what is removed together.

    Args:
        kind: What the samples are.
        inputs: What the model is called with.
        masked: Of series: whether the last channel is 1 where there is data.
    """
    if kind == "text" and isinstance(inputs, Tensor):  # 0 is padding
        return [("padding", "zero", tokens(inputs != 0))]
    if kind == "text":
        units = tokens(inputs["attention_mask"])
        return [("delete", delete(), units), ("hide", hide(), units)]
    x = first_tensor(inputs)
    windows = series_windows(x, CURVE_STEPS, masked=masked) if kind == "series" else None
    fills = [name for name in CURVE_FILLS[kind] if name != "marginal" or len(x) > 1]
    return [(name, name, windows) for name in fills]  # one alone has no other to take values of


def unit_count(kind: ViewKind, inputs: Any, units: Any) -> int:
    """Return how many units every sample has.

    Args:
        kind: What the samples are.
        inputs: What the model is called with.
        units: What is removed together, as `removal_fills` gives it.
    """
    x = first_tensor(inputs)
    if kind == "picture":
        return x.shape[-1] * x.shape[-2]
    if kind == "text":
        return int(present_tokens(inputs).sum(1).min())
    return x[0].numel() if units is None else int(units.count.min())
