"""The check that a batch holds images.

Takes a batch. Must not know what it is for.
"""

from torch import Tensor

from ..errors import InputError


def require_images(x: Tensor, owner: str) -> None:
    """Raise InputError unless `x` is a batch of images (n, c, h, w); `owner` is what needs them."""
    if x.ndim != 4:
        raise InputError(
            f"{owner} of x of shape {tuple(x.shape)}", "images (n, channels, h, w)", "pass images"
        )
