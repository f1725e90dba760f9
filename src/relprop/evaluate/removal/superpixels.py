"""Superpixels: connected regions of an image of similar colour, as units (SLIC, by scikit-image).

Takes images. Gives units. Must not know the model.
"""

import numpy
import torch
from torch import Tensor

from ...support.extras import needs
from ..images import require_images
from .units import UnitMaker, Units, grouped


def superpixels(segments: int, *, compactness: float | None = None) -> UnitMaker:
    """Make superpixels the units: about `segments` per image; the exact number depends on it.

    For images that are normalised, make the units of the original images first and pass them:
    `units=superpixels(50)(images)`.

    Args:
        segments: Approximate number of superpixels per image.
        compactness: Weight of distance against colour. None: 10 for three channels, which are
            taken as RGB in [0, 1], and 0.1 for others.

    Returns:
        A function from images (n, c, h, w) to their units.

    Raises:
        InputError: The batch, when the function is called, is not of images.
        MissingExtraError: scikit-image is not installed.

    Example:
        >>> image = torch.zeros(1, 1, 8, 8)
        >>> image[..., 4:] = 1.0
        >>> units = superpixels(4)(image)
        >>> int(units.count), units.index[0, 0, 0].tolist()
        (4, [0, 0, 0, 0, 1, 1, 1, 1])

    Source: Achanta et al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods".
    """

    def make(x: Tensor) -> Units:
        require_images(x, "superpixels")
        with needs("evaluate", "superpixels"):
            from skimage.segmentation import slic
        weight = compactness if compactness is not None else 10.0 if x.shape[1] == 3 else 0.1
        images = x.detach().double().cpu().movedim(1, -1).numpy()
        labels = [  # SLIC takes one image at a time
            slic(image, segments, weight, start_label=0, channel_axis=-1) for image in images
        ]
        # SLIC may skip numbers
        index = [numpy.unique(each, return_inverse=True)[1].reshape(each.shape) for each in labels]
        return grouped(torch.from_numpy(numpy.stack(index))[:, None].to(x.device))

    return make
