"""Tunes the recipe of a model on samples, from Python: search, selection, report.

Takes a model and samples. Gives a `TunedRecipe`. Must not know files of models or pages.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..errors import InputError
from ..evaluate.removal.units import UnitMaker
from ..support.extras import require
from ..support.files import as_path
from ..support.output_kinds import OutputKind
from ..support.progress import ProgressOption, progress_of
from .dimensions import make_space
from .objective import Fills, Judging, check_measures
from .report import report_recipe
from .result import TunedRecipe
from .select import select_recipe
from .setting import prepare_tuning
from .study import search_recipes


def tune(
    model: nn.Module,
    x: Tensor | Mapping[str, Any],
    *,
    target: Tensor | None = None,
    objective: str | Sequence[str] = "srg",
    fill: Fills = "zero",
    other_fills: Fills = (),
    trials: int = 100,
    steps: int = 20,
    units: UnitMaker | None = None,
    masks: Tensor | None = None,
    blocks: int = 3,
    groups: Mapping[str, str] | None = None,
    output_kind: OutputKind | None = None,
    folder: str | Path | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: ProgressOption = False,
) -> TunedRecipe:
    """Search the recipe by which a model's relevance is most faithful, and measure what it gains.

    Samples are divided into three parts: a quarter to search on, a quarter to select the best of
    the search and of all presets on, and half to report on. On the last, the recipe is compared
    with every preset, gradient x input, integrated gradients and SmoothGrad, sample by sample.

    Args:
        model: The model, in eval mode.
        x: Samples: a tensor (n, *features), or a mapping of keyword inputs.
        target: The class that is explained of each sample, (n,); None: the predicted one.
        objective: A name, or several of which the first decides and a front of recipes that none
            beats in all is returned: "srg", "morf", "lerf", "sparseness", "stability",
            "localisation".
        fill: A name of `relprop.evaluate.FILLS`; several; or a mapping from names to fills. The
            worst mean of several counts.
        other_fills: Further fills that the result is reported under, and not tuned for.
        trials: How many recipes are tried.
        steps: Steps of a removal curve.
        units: What is removed together; None: pixels of images, entries of all else.
        masks: For "localisation": where relevance should lie, (n, height, width).
        blocks: Into how many blocks of equal depth layers are divided; each has a rule.
        groups: Name -> glob on names of modules, in place of blocks.
        output_kind: As of `relprop.evaluate.removal_curve`.
        folder: A folder for the journal of the search: several processes that tune the same share
            it, and a later call goes on with it. None: in memory.
        batch_size: Samples in a forward or backward pass.
        seed: Random seed.
        progress: True shows on stderr how far it is.

    Returns:
        The recipe, with what it gains on the report samples. Where no recipe of the search is
        better than a preset, it is that preset.

    Raises:
        RelpropError: An argument is wrong, or the model cannot be explained.
        MissingExtraError: Optuna is not installed, or Captum for the methods compared.

    Example:
        >>> import torch, relprop
        >>> from torch.nn import Linear, ReLU, Sequential
        >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
        <...>
        >>> model = Sequential(Linear(6, 16), ReLU(), Linear(16, 3)).eval()
        >>> tuned = relprop.tune(model, torch.randn(64, 6), trials=4, steps=6)
        >>> tuned.parts
        (16, 16, 32)
        >>> relprop.Explainer(model, tuned.recipe)(torch.randn(2, 6)).relevance.shape
        torch.Size([2, 6])

    Sources: Blücher et al. 2024, "Decoupling pixel flipping and occlusion strategy for consistent
    XAI benchmarks" (SRG); Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and
    hyperparameter optimization" (successive halving).
    """
    require("tune", "relprop.tune", ("captum", "optuna", "scipy"))
    names = (objective,) if isinstance(objective, str) else tuple(objective)
    measures = check_measures(names, masks)
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        raise InputError(f"trials={trials!r}", "a whole number > 0", "write trials=100")
    judging = Judging(measures, {}, steps, units, output_kind, batch_size, seed)
    setting = prepare_tuning(model, x, target, judging, fill, other_fills, masks)
    space = make_space(setting.plan, blocks=blocks, groups=groups, bounds=setting.bounds)
    shown = progress_of(progress)
    found = search_recipes(
        space,
        setting.scores_by_piece,
        first=tuple(setting.methods.presets.values()),
        objectives=len(measures),
        trials=trials,
        seed=seed,
        identity=setting.identity(space),
        folder=None if folder is None else as_path(folder),
        progress=shown,
    )
    with shown.stage("Selecting and reporting", None, "methods"):
        chosen = select_recipe(setting, found.best)
        report = report_recipe(setting, chosen)
    return TunedRecipe(
        recipe=chosen.recipe,
        origin=chosen.name,
        objectives=measures,
        parts=setting.parts.sizes,
        trials=found.trials,
        stopped_early=found.stopped_early,
        reference=chosen.reference,
        presets=tuple(report.methods.presets),
        left_out={**report.methods.left_out, **found.failed},
        scores=report.scores,
        by_class=report.by_class,
        front=chosen.front,
    )
