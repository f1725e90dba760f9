"""What a network for tables learns from: training rows, and made rows, with a teacher's labels.

Takes a data set, its preparation and settings: `teacher`, `copies`, `swap`, `mix`. Gives
`Examples`. Must not know networks.

n  training rows      m  made rows      k  outputs
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset
from ..networks.family import Settings
from ..prepare.base import Preparation
from ..prepare.fit_tables import fit_table
from ..support.arguments import check_one_of
from .augment_tables import made_rows
from .objectives import soft_targets
from .teacher import teach
from .train import Examples

TEACHERS = ("none", "boosted", "best")


@dataclass(frozen=True)
class TableExamples:
    """Examples of a table, and how they came about.

    Attributes:
        examples: Training rows, then made rows. With a teacher their targets are soft.
        teachers: The models that taught; empty where there were none.
        note: What the user should know of them, a sentence; "" for nothing.
    """

    examples: Examples
    teachers: tuple[str, ...]
    note: str


def table_examples(
    dataset: Dataset,
    rows: NDArray[np.int64],
    targets: Tensor,
    preparation: Preparation,
    settings: Settings,
    *,
    seed: int,
    seconds: float,
) -> TableExamples:
    """Prepare training rows for a network, with a teacher where settings ask for one.

    A teacher also labels rows that are made of training rows, so that the network learns what it
    says between them.

    Args:
        dataset: A table.
        rows: Numbers of the training rows.
        targets: Their targets, as `Examples` has them: of values, standardised.
        preparation: What maps rows to features, fitted on the training rows.
        settings: `teacher`: "none", "boosted" or "best". With a teacher, `copies`: made rows for
            each training row; `swap`: share of the cells of a made row that are from a second row;
            `mix`: whether its numbers are between those of the two.
        seed: Of the rows that are made, and of the teacher.
        seconds: Time that the teacher may take. If it is too short, there is none, and `note` says
            so.

    Raises:
        InputError: A setting is not allowed.
    """
    check_one_of("teacher", settings["teacher"], TEACHERS)
    frame, task = dataset.take(rows), dataset.target.task
    inputs = preparation.apply(frame)
    if settings["teacher"] == "none":
        return TableExamples(Examples(inputs, targets), (), "")
    made = made_rows(
        frame,
        int(settings["copies"]) * len(rows),
        swap=float(settings["swap"]),
        mix=bool(settings["mix"]),
        random=np.random.default_rng(seed),
    )
    as_taught = {"numbers": settings["numbers"], "bins": 0, "bins_by": "quantile"}
    features = fit_table(dataset, rows, as_taught)
    taught = teach(
        features.apply(frame).numpy(),
        targets.numpy(),
        features.apply(made).numpy(),
        teacher=str(settings["teacher"]),
        task=task,
        outputs=dataset.target.outputs,
        seed=seed,
        seconds=seconds,
    )
    if taught is None:
        note = "no teacher: there was no time for models that may teach; give a larger budget"
        return TableExamples(Examples(inputs, targets), (), note)
    said = torch.from_numpy(taught.labels)
    soft = soft_targets(targets, said, task=task, outputs=said.shape[1], smoothing=0.0)
    return TableExamples(
        Examples(
            torch.cat([inputs, preparation.apply(made)]),
            torch.cat([soft, torch.from_numpy(taught.made)]),
        ),
        taught.models,
        f"taught by {' and '.join(taught.models)}",
    )
