"""The features of a data set by what its samples are.

Takes a data set. Gives its features. Must not know what is done with them.
"""

from ...data.dataset import Dataset
from ...errors import InputError
from .features import Features
from .picture_features import PictureFeatures
from .series_features import SeriesFeatures
from .table_features import TableFeatures
from .text_features import TextFeatures

_KINDS: dict[str, type[Features]] = {
    "table": TableFeatures,
    "picture": PictureFeatures,
    "series": SeriesFeatures,
    "text": TextFeatures,
}


def features_of(dataset: Dataset) -> Features:
    """Return the features of a data set.

    Raises:
        InputError: Samples of its modality have none that can be kept.
    """
    if dataset.modality not in _KINDS:
        given = f"{dataset.source}, of modality {dataset.modality!r}"
        raise InputError(given, ", ".join(_KINDS), "give a table, pictures or time series")
    kind = _KINDS[dataset.modality]
    return kind(dataset)  # type: ignore[call-arg]
