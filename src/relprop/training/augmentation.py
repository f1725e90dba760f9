"""Random changes of training samples, chosen by what kind of samples a batch holds.

Takes settings and prepared samples. Gives a function of a batch, or nothing where no setting asks
for a change. Must not know networks.
"""

from collections.abc import Callable

from torch import Tensor

from ..networks.family import Settings
from .augment_pictures import augment_pictures
from .augment_series import augment_series
from .augment_texts import augment_texts

Augment = Callable[[Tensor], Tensor]


def augmentation(settings: Settings, samples: Tensor) -> Augment | None:
    """Return the change that settings ask for of samples such as these; None: there is none.

    Args:
        settings: All settings of a trial.
        samples: Prepared samples; pictures have four dimensions, series three, and token ids are
            whole numbers.
    """
    if samples.ndim == 4:
        return augment_pictures(settings)
    if samples.ndim == 3:
        return augment_series(settings, samples)
    if not samples.is_floating_point():
        return augment_texts(settings)
    return None
