"""Preparations by modality: fitted on the training part, and made again from a bundle.

Takes data sets, or what a preparation gave as its state. Gives preparations. Must not know
networks.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import Dataset, Modality
from ..networks.family import Settings
from .base import Preparation


def fit_preparation(
    dataset: Dataset, rows: NDArray[np.int64], settings: Settings, *, encoder: str = ""
) -> Preparation:
    """Fit how samples become tensors.

    Args:
        dataset: The data set.
        rows: Numbers of the samples to fit to: training samples, no others.
        settings: All settings of a trial, of which preparations read their own.
        encoder: Of texts: folder of a pretrained encoder, whose tokenizer may be asked for. It is
            no setting, as a bundle holds settings, and must not depend on where it was made.

    Raises:
        InputError: No preparation can be fitted to these samples.
    """
    if dataset.modality == "picture":
        from .pictures import fit_pictures

        return fit_pictures(dataset, rows, settings)
    if dataset.modality == "table":
        from .fit_tables import fit_table

        return fit_table(dataset, rows, settings)
    if dataset.modality == "series":
        from .series import fit_series

        return fit_series(dataset.take(rows), str(settings["standardise"]))
    from .texts import fit_texts

    sizes = {name: int(settings[name]) for name in ("vocabulary", "length") if name in settings}
    return fit_texts(dataset.take(rows), str(settings["tokens"]), encoder=encoder, **sizes)


def restore_preparation(
    modality: Modality, state: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Preparation:
    """Make a preparation again that gave `state()`.

    Args:
        modality: What it prepares.
        state: Its plain values.
        tensors: Its tensors.
    """
    return _kind(modality).restore(dict(state), dict(tensors))


def _kind(modality: Modality) -> type[Preparation]:
    """Return the class of preparations of a modality; imported here, as libraries come along."""
    if modality == "picture":
        from .pictures import PicturePreparation

        return PicturePreparation
    if modality == "table":
        from .tables import TablePreparation

        return TablePreparation
    if modality == "series":
        from .series import SeriesPreparation

        return SeriesPreparation
    from .texts import TextPreparation

    return TextPreparation
