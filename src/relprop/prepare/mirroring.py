"""Whether pictures keep their class when they are mirrored: asked of their nearest neighbours.

Takes training pictures and their targets. Digits and letters become others; clothes and animals do
not. Must not know networks.

    n  pictures      c  channels      h, w  height and width
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..data.dataset import DataTarget

MOST_COMPARED = 2000  # pictures, of which each is compared with all others
_MOST_SIDE = 32  # pixels on a side that are compared
_FEWEST = 20  # pictures; fewer say nothing
_ERRORS = 2.0  # standard errors of chance, above which neighbours do tell the class
_KEPT = 0.5  # of what neighbours tell about the class, beyond chance, is left in mirrored pictures


def keep_class_when_mirrored(pictures: NDArray[np.uint8], target: DataTarget) -> bool:
    """Tell whether the nearest neighbours of mirrored pictures are still of their class.

    Neighbours of upright pictures tell some of the class. If half of that remains when a picture is
    mirrored, mirrored pictures are taken to be of their class.

    Args:
        pictures: Training pictures, (n, h, w, c).
        target: Their classes or labels, of (n,) or (n, k) values; a value, such as an angle, may
            change its sign, so that the answer is no.
    """
    if target.task == "value" or len(pictures) < _FEWEST:
        return False
    rows = np.random.default_rng(0).permutation(len(pictures))[:MOST_COMPARED]
    classes = _numbered(target.values[rows])
    small = _reduced(pictures[rows])
    upright = _share_of_equal_neighbours(small, small, classes)
    mirrored = _share_of_equal_neighbours(small.flip(3), small, classes)
    chance = float((torch.bincount(classes) / len(classes)).square().sum())
    told, kept = upright - chance, mirrored - chance
    luck = _ERRORS * math.sqrt(chance * (1 - chance) / len(classes))
    return told > luck and kept > _KEPT * told


def _numbered(values: NDArray[np.generic]) -> Tensor:
    """Return a number for each class, or combination of labels, (n,)."""
    table = values.reshape(len(values), -1)
    return torch.from_numpy(np.unique(table, axis=0, return_inverse=True)[1].reshape(-1))


def _reduced(pictures: NDArray[np.uint8]) -> Tensor:
    """Return small pictures of equal brightness and contrast, (n, c, h, w)."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    step = -(-max(x.shape[2:]) // _MOST_SIDE)
    if step > 1:
        x = F.avg_pool2d(x, step, ceil_mode=True)
    mean, std = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
    return (x - mean) / (std + 1)


def _share_of_equal_neighbours(pictures: Tensor, others: Tensor, classes: Tensor) -> float:
    """Return how often the nearest of the others, itself left out, has the class of a picture."""
    distances = torch.cdist(pictures.flatten(1), others.flatten(1))  # (n, n)
    distances.fill_diagonal_(torch.inf)
    return float((classes[distances.argmin(1)] == classes).float().mean())
