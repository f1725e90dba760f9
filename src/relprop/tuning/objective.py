"""What a recipe is judged by: measures of its relevance on samples, one number for each.

Takes a model and samples. Everything that is the same for all recipes is computed once: targets,
the scores of the original samples, what replaces removed entries. Must not know recipes.

n  samples
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..evaluate import localisation, sparseness
from ..evaluate.fills.registry import as_fill
from ..evaluate.removal.measures import srg
from ..evaluate.removal.ranking import Order
from ..evaluate.removal.removal_curve import RemovalCurve
from ..evaluate.removal.score_curve import OriginalScores, score_curve, score_originals
from ..evaluate.removal.scores import as_score
from ..evaluate.removal.setup import Filling, RemovalSetup, prepare_removal
from ..evaluate.removal.unit_order import order_units
from ..evaluate.removal.unit_relevance import aggregate_over_units
from ..evaluate.removal.units import UnitMaker
from ..support.arguments import suggest
from ..support.output_kinds import OutputKind

NOISE = 0.05  # of "stability": half width of uniform noise, as a share of the range of x
REMOVAL = ("srg", "morf", "lerf")
# Higher is better for all of them.
OBJECTIVES: Mapping[str, str] = MappingProxyType(
    {
        "srg": "area under the least-relevant-first curve minus that of most relevant first",
        "morf": "1 minus the area under the curve of most relevant first",
        "lerf": "area under the curve of least relevant first",
        "sparseness": "Gini index of |relevance|",
        "stability": "1 minus the relative change of relevance under noise of 5 % of the range",
        "localisation": "share of positive relevance inside the masks",
    }
)

Explain = Callable[[Any, Any], Tensor]  # (x, target) -> relevance like the explained input


@dataclass(frozen=True)
class Judging:
    """How recipes are judged.

    Attributes:
        measures: Names of `OBJECTIVES`, the one that decides first.
        fills: Name -> what replaces removed entries. Of several, the worst mean counts.
        steps: Steps of a removal curve.
        units: What is removed together; None: pixels of pictures, entries of all else.
        output_kind: What the output is; None: what its numbers show.
        batch_size: Samples of a forward pass.
        seed: Seed of ties, fills and noise.
    """

    measures: tuple[str, ...]
    fills: Mapping[str, Filling]
    steps: int = 20
    units: UnitMaker | None = None
    output_kind: OutputKind | None = None
    batch_size: int = 256
    seed: int = 0


def check_measures(measures: Sequence[str], masks: Tensor | None) -> tuple[str, ...]:
    """Return the names of measures. Raises InputError for one that does not exist.

    Args:
        measures: Names.
        masks: Where relevance should lie; "localisation" needs them.
    """
    for name in measures:
        if name not in OBJECTIVES:
            allowed = ", ".join(OBJECTIVES)
            raise InputError(f"the objective {name!r}", allowed, suggest(name, OBJECTIVES))
    if not measures or len(set(measures)) < len(measures):
        given = f"objectives {', '.join(measures) or 'of no name'}"
        raise InputError(given, "each once, one at least", 'write objective="srg"')
    if "localisation" in measures and masks is None:
        given, allowed = "the objective localisation without masks", "a mask of each sample"
        raise InputError(given, allowed, "give masks=, (n, height, width)")
    return tuple(measures)


@dataclass(frozen=True)
class JudgedSamples:
    """Samples with all that measuring any relevance of them needs.

    Attributes:
        model: What is explained.
        x: What the model is called with.
        target: Class of each sample, (n,); None: the output's only entry.
        judging: How relevance is judged.
        removal: Name of a fill -> what a removal curve needs; empty where nothing is removed.
        originals: Scores of the samples as they are; None where nothing is removed.
        masks: Of each sample, where relevance should lie; None: not known.
    """

    model: nn.Module
    x: Any
    target: Tensor | None
    judging: Judging
    removal: Mapping[str, RemovalSetup]
    originals: OriginalScores | None
    masks: Tensor | None

    def measure(self, explain: Explain) -> dict[tuple[str, str], Tensor]:
        """Measure relevance, one number per sample, by measure and fill ("" where none counts).

        Args:
            explain: Computes relevance for inputs and their classes.
        """
        relevance = explain(self.x, self.target)
        measures = self.judging.measures
        of_maps = [name for name in measures if name not in REMOVAL]
        found = {(name, ""): self._of_map(name, relevance, explain).double() for name in of_maps}
        for fill in self.removal:
            values = self._of_removal(fill, relevance)
            found |= {(name, fill): values[name].double() for name in measures if name in values}
        return found

    def _of_removal(self, fill: str, relevance: Tensor) -> dict[str, Tensor]:
        """Measure removal under a fill; a curve that no measure takes is not computed."""
        wanted = set(self.judging.measures) & set(REMOVAL)
        setup, originals = self.removal[fill], self.originals
        per_unit = aggregate_over_units(setup, relevance)

        def curve(order: Order) -> RemovalCurve:
            assert originals is not None
            units = order_units(setup, per_unit, order)
            with torch.no_grad():
                return score_curve(self.model, setup, originals, units, lambda done: None)

        morf = None if wanted == {"lerf"} else curve("morf")
        lerf = None if wanted == {"morf"} else curve("lerf")
        values = {} if morf is None else {"morf": 1 - morf.auc}
        values |= {} if lerf is None else {"lerf": lerf.auc}
        return values if morf is None or lerf is None else {**values, "srg": srg(morf, lerf)}

    def _of_map(self, measure: str, relevance: Tensor, explain: Explain) -> Tensor:
        if measure == "sparseness":
            return sparseness(relevance).nan_to_num(0)
        if measure == "localisation":
            assert self.masks is not None
            return localisation(relevance, self.masks).mass_accuracy.nan_to_num(0)
        return 1 - _change(relevance, explain(add_noise(self.x, self.judging.seed), self.target))


def judge_samples(
    model: nn.Module,
    x: Any,
    target: Tensor | None,
    judging: Judging,
    masks: Tensor | None = None,
) -> JudgedSamples:
    """Prepare samples for measuring: run the model on the originals, once for all recipes.

    Args:
        model: What is explained.
        x: A tensor (n, *features), or a mapping of keyword inputs.
        target: Class of each sample, (n,); None: the predicted one.
        judging: How relevance is judged.
        masks: Where relevance should lie, (n, *spatial).
    """
    removal: dict[str, RemovalSetup] = {}
    if set(judging.measures) & set(REMOVAL):
        removal = {name: set_up(model, x, fill, judging) for name, fill in judging.fills.items()}
    first = next(iter(removal.values()), None)
    originals = None if first is None else score_unchanged(model, first, target, judging)
    if originals is not None:
        target = originals.target
    return JudgedSamples(model, x, target, judging, removal, originals, masks)


def set_up(model: nn.Module, x: Any, fill: Filling, judging: Judging) -> RemovalSetup:
    """Return what a removal curve needs but the model and the order.

    Args:
        model: What is explained.
        x: A tensor (n, *features), or a mapping of keyword inputs.
        fill: What replaces removed entries.
        judging: Steps, units, batches and seed.
    """
    return prepare_removal(
        *(model, x),
        fill=fill,
        steps=judging.steps,
        units=judging.units,
        remove_from=None,
        batch_size=judging.batch_size,
        seed=judging.seed,
    )


def score_unchanged(
    model: nn.Module, setup: RemovalSetup, target: Tensor | None, judging: Judging
) -> OriginalScores:
    """Run the model on samples of which nothing is removed, the same under every fill.

    Args:
        model: What is explained.
        setup: The samples.
        target: Class of each, (n,); None: the predicted one.
        judging: What the output is.
    """
    with torch.no_grad():
        return score_originals(model, setup, target, as_score("probability"), judging.output_kind)


Fills = str | Sequence[str] | Mapping[str, Filling]


def fills_of(fills: Fills, x: Tensor) -> dict[str, Filling]:
    """Return fills by name, the values of named ones estimated from samples.

    Args:
        fills: A name of `relprop.evaluate.FILLS`, several, or a mapping from names to fills.
        x: The input that entries are removed from, (m, *features).

    Raises:
        InputError: There is no such fill.
    """
    if isinstance(fills, Mapping):
        return dict(fills)
    names = [fills] if isinstance(fills, str) else list(fills)
    return {name: as_fill(name, x) for name in names}


def take_rows(x: Any, rows: Tensor) -> Any:
    """Return some samples of what a model is called with.

    Args:
        x: A tensor (n, *features), or a mapping of keyword inputs.
        rows: Numbers of samples.
    """
    if isinstance(x, Tensor):
        return x[rows.to(x.device)]
    return {k: v[rows.to(v.device)] if isinstance(v, Tensor) else v for k, v in x.items()}


def add_noise(x: Any, seed: int) -> Any:
    """Add uniform noise to samples, the same for all recipes.

    Args:
        x: Samples.
        seed: Random seed.

    Raises:
        InputError: They are no tensor of numbers.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        given = "the objective stability for inputs that are no floating point numbers"
        raise InputError(given, "a tensor of numbers", 'write objective="srg"')
    generator = torch.Generator().manual_seed(seed)
    radius = NOISE * float(x.max() - x.min())
    noise = torch.rand(x.shape, generator=generator, dtype=x.dtype).mul_(2).sub_(1)
    return x + radius * noise.to(x.device)


def _change(before: Tensor, after: Tensor) -> Tensor:
    """Return |R' - R| / |R|, Euclidean norms of each sample; 1 where there is no relevance."""
    before, after = before.flatten(1).double(), after.flatten(1).double()
    size = before.norm(dim=1)
    change: Tensor = (after - before).norm(dim=1) / size
    return change.where(size > 0, torch.ones_like(size)).cpu()
