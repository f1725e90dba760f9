"""Superpixels: parts of a picture that look alike, as units (SLIC, by scikit-image)."""

import numpy
import torch
from torch import Tensor

from ...support.extras import needs
from .units import Maker, Units, check_pictures, grouped


def superpixels(segments: int, *, compactness: float | None = None) -> Maker:
    """About `segments` superpixels of each picture (n, c, h, w); how many is the picture's matter.

    compactness  how much nearness counts beside colour. None: 10 for three channels, which are
                 taken as RGB in [0, 1], and 0.1 for others
    For pictures that are normalised, give units made before: superpixels(50)(pictures).
    """

    def make(x: Tensor) -> Units:
        check_pictures(x, "superpixels")
        with needs("evaluate", "superpixels"):
            from skimage.segmentation import slic
        weight = compactness if compactness is not None else 10.0 if x.shape[1] == 3 else 0.1
        pictures = x.detach().double().cpu().movedim(1, -1).numpy()
        maps = [  # SLIC takes one picture at a time
            slic(one, segments, weight, start_label=0, channel_axis=-1) for one in pictures
        ]
        numbered = [numpy.unique(one, return_inverse=True)[1].reshape(one.shape) for one in maps]
        return grouped(torch.from_numpy(numpy.stack(numbered))[:, None].to(x.device))

    return make
