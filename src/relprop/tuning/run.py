"""Tunes the recipe of a user's model on the user's files.

Takes settings. Gives a `TunedRecipe` with what it was tuned on. Must not know pages or the command
line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..bundles.user_model import UserModel, load_user_model
from ..errors import FileError, InputError, first_line
from ..report.settings import Settings
from ..support.progress import QUIET, Progress
from .api import tune
from .result import TunedRecipe
from .samples import read_samples

JOURNAL_FOLDER = "search"  # folder of the journal


@dataclass(frozen=True)
class TuneSettings:
    """What is tuned, and how.

    Attributes:
        report: The model, the data and how they are read, as of a report.
        objectives: Names of objectives.
        fills: Names of fills to tune for; empty: the one that suits the kind of samples.
        other_fills: Names of fills that the result is also reported under.
        trials: Recipes that are tried.
        steps: Steps of a removal curve.
        blocks: Blocks of depth.
        groups: Name -> glob on names of modules.
        masks: .npy file of masks, one for each sample that is read; None: there are none.
    """

    report: Settings
    objectives: tuple[str, ...] = ("srg",)
    fills: tuple[str, ...] = ()
    other_fills: tuple[str, ...] = ()
    trials: int = 100
    steps: int = 20
    blocks: int = 3
    groups: Mapping[str, str] = field(default_factory=dict)
    masks: Path | None = None


@dataclass(frozen=True)
class TuneRun:
    """A tuned recipe, and what it was tuned on.

    Attributes:
        tuned: The recipe and its scores.
        model: What the model was called.
        data: Files of the samples.
        bundle: Folder of the bundle that the model is of; None: it is none.
        class_names: Names of the classes; empty where they are not known.
        left_out: Samples that could not be read, or are too short.
        seed: Random seed.
    """

    tuned: TunedRecipe
    model: str
    data: tuple[Path, ...]
    bundle: Path | None
    class_names: tuple[str, ...]
    left_out: int
    seed: int


def run_tuning(settings: TuneSettings, out: Path, progress: Progress = QUIET) -> TuneRun:
    """Read a model and samples, and tune the recipe.

    Args:
        settings: What is tuned, and how.
        out: Folder of the results, which has the journal of the search.
        progress: Shows the stages.

    Raises:
        RelpropError: The model or the samples cannot be used, or an option is wrong.
    """
    own = settings.report
    model = load_user_model(own.model, own.weights)
    _check_model(model)
    samples = read_samples(own, model)
    if not isinstance(samples.fills, Mapping) or (settings.fills and samples.kind == "text"):
        given = "--fill for texts"
        raise InputError(given, "what texts are removed by: tokens are deleted", "leave --fill out")
    bundle = model.bundle
    labels = bundle is not None and bundle.task == "labels"
    progress.log(f"Tuning {own.model} on {samples.count:,} samples of the data at most")
    tuned = tune(
        bundle.explained_model if bundle is not None else model.module,
        samples.x,
        objective=settings.objectives,
        fill=settings.fills or samples.fills,
        other_fills=settings.other_fills,
        trials=settings.trials,
        steps=min(settings.steps, samples.least),
        units=samples.units,
        masks=None if settings.masks is None else _read_masks(settings.masks),
        blocks=settings.blocks,
        groups=settings.groups,
        output_kind="independent probabilities" if labels else None,
        folder=out / JOURNAL_FOLDER,
        batch_size=own.batch_size,
        seed=own.seed,
        progress=progress,
    )
    return TuneRun(
        tuned=tuned,
        model=own.model,
        data=own.data,
        bundle=None if bundle is None else Path(own.model),
        class_names=tuple(bundle.classes if bundle is not None else model.class_names),
        left_out=samples.left_out,
        seed=own.seed,
    )


def _check_model(model: UserModel) -> None:
    """Refuse what removal curves cannot follow."""
    if model.per_input:
        given = f"{model.name}, which is captured for each input by itself"
        raise InputError(given, "a model that one capture serves", "give the module, not the file")
    if model.bundle is not None and model.bundle.task == "value":
        given = f"{model.name}, which predicts a value"
        raise InputError(given, "a model that predicts classes or labels", "give another bundle")


def _read_masks(path: Path) -> Tensor:
    """Read masks of samples, (n, h, w). Raises FileError where it is no array of numbers."""
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False).astype(bool))
    except (OSError, ValueError, EOFError) as error:
        given = f"the masks {path} cannot be read: {first_line(error)}"
        allowed = "a .npy file of an array (samples, height, width)"
        raise FileError(given, allowed, "write it by numpy.save") from error
