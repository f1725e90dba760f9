"""What is tuned on what: the model with its explainer, the parts of the samples, what is compared.

Takes a model and samples. Gives a `TuningSetting`, which scores recipes. Must not know Optuna.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..evaluate.fills.base import Fill, cpu_generator, fill_values
from ..evaluate.fills.token_deletion import Deletion
from ..evaluate.maps.localisation import localisation
from ..evaluate.removal.setup import Filling
from ..explanation.explainer import Explainer
from ..plan.plan import Plan
from ..recipes.recipe import Recipe
from .methods import Methods, explain_by, find_methods, takes_box
from .objective import (
    REMOVAL,
    Fills,
    JudgedSamples,
    Judging,
    add_noise,
    fills_of,
    judge_samples,
    score_unchanged,
    set_up,
    take_rows,
)
from .parts import Parts, divide_samples
from .space import RecipeSpace


@dataclass(frozen=True)
class TuningSetting:
    """All that search, selection and report share.

    Attributes:
        explainer: Explains the model; its captured graphs serve all recipes.
        x: All samples.
        target: The class that is explained of each, (n,); None: the output has no classes.
        judging: How recipes are judged, under the fills that are tuned for.
        other_fills: Further fills, of the report alone.
        masks: Where relevance should lie; None: not known.
        parts: Which samples are for what.
        pieces: The search samples, piece by piece.
        plan: The plan of the model by the preset "auto".
        bounds: Lowest and highest value of the input by channel; None: of token ids, or where the
            first layer takes values in another order.
        methods: What is compared.
    """

    explainer: Explainer
    x: Any
    target: Tensor | None
    judging: Judging
    other_fills: dict[str, Filling]
    masks: Tensor | None
    parts: Parts
    pieces: tuple[JudgedSamples, ...]
    plan: Plan
    bounds: tuple[Tensor, Tensor] | None
    methods: Methods

    def part(self, rows: Tensor, judging: Judging) -> JudgedSamples:
        """Prepare the samples of a part for measuring.

        Args:
            rows: Numbers of samples.
            judging: How relevance is judged.
        """
        target = None if self.target is None else take_rows(self.target, rows)
        masks = None if self.masks is None else take_rows(self.masks, rows)
        return judge_samples(self.explainer.model, take_rows(self.x, rows), target, judging, masks)

    def scores_by_piece(self, recipe: Recipe) -> Iterator[tuple[float, ...]]:
        """Score a recipe on the search samples: the mean of each objective after each piece.

        Args:
            recipe: The recipe.
        """
        explain = explain_by(self.explainer, recipe, self.judging.batch_size)
        sums: dict[tuple[str, str], float] = {}
        seen = 0
        for piece in self.pieces:
            for key, values in piece.measure(explain).items():
                sums[key] = sums.get(key, 0.0) + float(values.sum())
                count = len(values)
            seen += count
            means = {key: total / seen for key, total in sums.items()}
            yield objectives_of(means, self.judging.measures)

    def identity(self, space: RecipeSpace) -> str:
        """Return a fingerprint of what is tuned on what, and of the recipes that are searched.

        Args:
            space: The recipes.
        """
        one = self.judging
        options = one.measures, sorted(one.fills), one.steps, one.output_kind, one.seed
        found = hashlib.sha256(repr((space.dimensions, options)).encode())
        model = self.explainer.model
        inputs = self.x if isinstance(self.x, Mapping) else {"x": self.x}
        found.update(str(model).encode())
        tensors = [("model." + name, value) for name, value in model.state_dict().items()]
        tensors += [("input." + name, value) for name, value in inputs.items()]
        tensors += [pair for piece in self.pieces for pair in _removed(piece)]
        for name, tensor in (*tensors, ("target", self.target), ("masks", self.masks)):
            if isinstance(tensor, Tensor):
                shown = f"{name} {tuple(tensor.shape)} {tensor.dtype}"
                found.update(shown.encode() + _bytes(tensor))
            elif isinstance(tensor, Deletion):
                found.update(f"{name} {tensor}".encode())
        return found.hexdigest()


def objectives_of(
    means: dict[tuple[str, str], float], measures: Sequence[str]
) -> tuple[float, ...]:
    """Return one number for each measure: of several fills, the worst mean.

    Args:
        means: Mean by measure and fill.
        measures: The measures, in their order.
    """
    return tuple(min(v for (name, _), v in means.items() if name == one) for one in measures)


def prepare_tuning(
    model: nn.Module,
    x: Any,
    target: Tensor | None,
    judging: Judging,
    fills: Fills,
    other_fills: Fills,
    masks: Tensor | None,
) -> TuningSetting:
    """Check a model and samples, divide the samples, and compute what all recipes share.

    Args:
        model: The model, in eval mode.
        x: A tensor (n, *features), or a mapping of keyword inputs.
        target: Class of each sample, (n,); None: the predicted one.
        judging: How recipes are judged; its fills are made here.
        fills: What is tuned for.
        other_fills: What the report also has.
        masks: Where relevance should lie.

    Raises:
        RelpropError: They do not fit.
    """
    explainer = Explainer(model)
    setup = set_up(explainer.model, x, "zero", judging)
    known = score_unchanged(explainer.model, setup, target, judging)
    n = len(setup.x)
    if setup.x.is_floating_point() and not bool(setup.x.isfinite().all()):
        allowed = "finite numbers"
        raise InputError("samples with NaN or infinite values", allowed, "leave those samples out")
    if masks is not None and (len(masks) != n):
        given = f"masks of {len(masks)} samples for {n}"
        raise InputError(given, "one mask of each sample", "give masks[:n], (n, height, width)")
    if masks is not None and "localisation" in judging.measures:
        localisation(torch.ones(setup.x.shape), masks.cpu())  # refuses masks that do not fit
    parts = divide_samples(known.target, n, seed=judging.seed)
    searched = setup.x[parts.search.to(setup.x.device)]
    judging = replace(judging, fills=fills_of(fills, searched), output_kind=known.kind)
    others = fills_of(other_fills, searched)
    _refuse_fills(judging, others)
    few = take_rows(x, parts.search[:2])
    if "stability" in judging.measures:
        add_noise(few, judging.seed)
    bounds, size = _bounds(searched), judging.batch_size
    methods = find_methods(explainer, few, bounds, size, judging.seed)
    if bounds is not None and not takes_box(explainer, few, bounds, size):
        bounds = None
    setting = TuningSetting(
        explainer=explainer,
        x=x,
        target=known.target,
        judging=judging,
        other_fills=others,
        masks=masks,
        parts=parts,
        pieces=(),
        plan=explainer.plan(few),
        bounds=bounds,
        methods=methods,
    )
    return replace(setting, pieces=tuple(setting.part(rows, judging) for rows in parts.rungs))


def _refuse_fills(judging: Judging, others: Mapping[str, Filling]) -> None:
    """Raise InputError for removal without a fill, and for names that are given twice."""
    if not judging.fills and set(judging.measures) & set(REMOVAL):
        raise InputError("no fill", "one at least, for removal curves", 'write fill="mean"')
    twice = next((name for name in judging.fills if name in others), None)
    if twice is not None:
        given = f"the fill {twice!r} among those that are tuned for and the others"
        raise InputError(given, "each once", "leave it out of other_fills")


def _bounds(x: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the lowest and the highest value of each channel or feature."""
    if not x.is_floating_point():
        return None
    others = [0, *range(2, x.ndim)]
    low, high = x.amin(others), x.amax(others)
    shape = (-1, *[1] * (x.ndim - 2))
    return low.reshape(shape), high.reshape(shape)


def _removed(piece: JudgedSamples) -> Iterator[tuple[str, Any]]:
    """Yield the units of each fill, and what replaces them; of a function, the first unit alone."""
    for name, setup in piece.removal.items():
        index, filled = setup.units.index, setup.replacement
        if isinstance(filled, Fill):
            first = (index == 0).expand_as(setup.x)
            filled = fill_values(filled, setup.x, first, cpu_generator(setup.seed))
        yield from ((f"units.{name}", index), (f"fill.{name}", filled))


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
