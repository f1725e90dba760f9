"""What a network for tables learns from: training rows, and made rows, with a teacher's labels.

Takes a data set, its preparation and settings: `teacher`, `copies`, `swap`, `mix`. Gives lessons,
and `Examples`. Must not know networks.

n  training rows      m  made rows      k  outputs
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset, TaskKind
from ..networks.family import Settings
from ..prepare.base import Preparation
from ..prepare.fit_tables import fit_table
from ..support.arguments import check_one_of
from .augment_tables import made_rows
from .objectives import soft_targets
from .teacher import teach
from .train import Examples

if TYPE_CHECKING:
    from pandas import DataFrame

TEACHERS = ("none", "boosted", "best")
_AS_TAUGHT = {"numbers": "standard", "bins": 0, "bins_by": "quantile"}  # features of its models


@dataclass(frozen=True)
class Lesson:
    """What a teacher says of training rows, and of rows that are made of them.

    Attributes:
        models: Names of the models that teach, the best first.
        made: The made rows, (m, columns).
        labels: Of the training rows, by models that were not fitted on them, (n, k).
        of_made: Of the made rows, (m, k).
    """

    models: tuple[str, ...]
    made: "DataFrame"
    labels: Tensor
    of_made: Tensor


def make_lesson(
    dataset: Dataset,
    rows: NDArray[np.int64],
    targets: Tensor,
    settings: Settings,
    *,
    seed: int,
    seconds: float,
) -> Lesson | None:
    """Make rows of training rows, and let models of scikit-learn label both.

    It does not depend on how a network takes rows, so that one lesson serves many networks.

    Args:
        dataset: A table.
        rows: Numbers of the training rows.
        targets: Their targets, as `Examples` has them: of values, standardised.
        settings: `teacher`: "none", "boosted" or "best". With a teacher, `copies`: made rows for
            each training row; `swap`: share of the cells of a made row that are from a second row;
            `mix`: whether its numbers are between those of the two.
        seed: Of the rows that are made, and of the models.
        seconds: Time that the models may take.

    Returns:
        The lesson; None without a teacher, or where the time is too short for any.

    Raises:
        InputError: A setting is not allowed.
    """
    check_one_of("teacher", settings["teacher"], TEACHERS)
    if settings["teacher"] == "none":
        return None
    frame = dataset.take(rows)
    made = made_rows(
        frame,
        int(settings["copies"]) * len(rows),
        swap=float(settings["swap"]),
        mix=bool(settings["mix"]),
        random=np.random.default_rng(seed),
    )
    features = fit_table(dataset, rows, _AS_TAUGHT)
    taught = teach(
        features.apply(frame).numpy(),
        targets.numpy(),
        features.apply(made).numpy(),
        teacher=str(settings["teacher"]),
        task=dataset.target.task,
        outputs=dataset.target.outputs,
        seed=seed,
        seconds=seconds,
    )
    if taught is None:
        return None
    labels, of_made = torch.from_numpy(taught.labels), torch.from_numpy(taught.made)
    return Lesson(taught.models, made, labels, of_made)


def taught_examples(
    examples: Examples, preparation: Preparation, task: TaskKind, lesson: Lesson
) -> Examples:
    """Add made rows to training rows, with what a teacher says of both.

    Args:
        examples: Training rows, with their targets.
        preparation: What maps rows to features, fitted on the training rows.
        task: What is predicted.
        lesson: What the teacher says.

    Returns:
        Training rows with soft targets, then made rows.
    """
    soft = soft_targets(
        examples.targets, lesson.labels, task=task, outputs=lesson.labels.shape[1], smoothing=0.0
    )
    return Examples(
        torch.cat([examples.inputs, preparation.apply(lesson.made)]),
        torch.cat([soft, lesson.of_made]),
    )
