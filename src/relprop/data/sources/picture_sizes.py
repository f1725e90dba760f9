"""Brings pictures to one size and one mode: cropped, stretched or padded.

Takes decoded pictures. Gives pixels, and what was done. Must not know files, classes or parts.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..dataset import Finding, Resize
from ..words import counted

if TYPE_CHECKING:
    from PIL.Image import Image

DEEP = ("I;16", "I", "F")  # modes of more than 8 bits


def fit_picture(picture: "Image", size: tuple[int, int], resize: Resize) -> "Image":
    """Bring a picture to a size, for training as for predicting.

    Args:
        picture: The picture.
        size: Width and height.
        resize: "crop": what sticks out at two sides is cut off; "stretch": its shape changes;
            "pad": what lacks at two sides is black.
    """
    from PIL import ImageOps

    if picture.size == size:
        return picture
    if resize == "stretch":
        return picture.resize(size)
    return (ImageOps.pad if resize == "pad" else ImageOps.fit)(picture, size)


def make_alike(
    pictures: Sequence["Image"], modes: Counter[str], resize: Resize
) -> tuple[NDArray[np.uint8], list[Finding], list[str]]:
    """Bring pictures to one size and one mode, and say what was done.

    Args:
        pictures: In grey or RGB.
        modes: How many files were of which mode.
        resize: As of `fit_picture`.

    Returns:
        Pixels, (n, height, width, channels); findings, and warnings.
    """
    sizes = Counter(picture.size for picture in pictures)
    size, why = _common_size(sizes)
    mode = "RGB" if any(picture.mode == "RGB" for picture in pictures) else "L"
    pixels = np.empty((len(pictures), size[1], size[0], len(mode)), np.uint8)
    for i, picture in enumerate(pictures):
        made = picture if picture.mode == mode else picture.convert(mode)
        pixels[i] = np.asarray(fit_picture(made, size, resize)).reshape(pixels.shape[1:])
    shape = f"{len(pictures):,}, {size[1]} x {size[0]}, {'RGB' if mode == 'RGB' else 'grey'}"
    findings = [Finding("pictures", shape, f"files of mode {', '.join(modes)}; {why}")]
    if len(sizes) > 1:
        findings.append(_resizing(sizes, size, resize))
    return pixels, findings, _mode_warnings(pictures, modes)


def _mode_warnings(pictures: Sequence["Image"], modes: Counter[str]) -> list[str]:
    warnings = []
    if len({picture.mode for picture in pictures}) > 1:
        found = ", ".join(f"{count:,} {name}" for name, count in modes.most_common())
        warnings.append(f"Pictures are of several modes ({found}): all are converted to RGB.")
    if deep := sum(modes[mode] for mode in DEEP):
        warnings.append(f"{counted(deep, 'picture')} of more than 8 bits: reduced to 8 bits.")
    return warnings


def _resizing(sizes: Counter[tuple[int, int]], size: tuple[int, int], resize: Resize) -> Finding:
    """Say how many pictures are resized, how, and what of them is lost."""
    others = sizes.total() - sizes[size]
    shares, counts = [_share_kept(one, size) for one in sizes], list(sizes.values())
    lost = 1 - float(np.average(shares, weights=counts))
    reason = f"{others:,} of {sizes.total():,} pictures are of other sizes"
    if resize == "crop":
        reason += f": resized, and {lost:.0%} of a picture's area is cut off on average"
        reason += "; --resize stretch or pad keeps all" if lost else ""
    how = {"crop": "middle cut out", "stretch": "stretched", "pad": "padded with black"}
    return Finding("resizing", how[resize], reason)


def _share_kept(old: tuple[int, int], new: tuple[int, int]) -> float:
    """Return the share of its area that a picture keeps where it fills another size."""
    across, down = new[0] / old[0], new[1] / old[1]
    return min(across, down) / max(across, down)


def _common_size(sizes: Counter[tuple[int, int]]) -> tuple[tuple[int, int], str]:
    """Choose the size that most pictures have; without a majority the middle of all, square."""
    size, count = sizes.most_common(1)[0]
    if 2 * count >= sizes.total():
        return size, "the size of most" if len(sizes) > 1 else "all of one size"
    sides = np.repeat([min(one) for one in sizes], list(sizes.values()))
    side = int(np.median(sides))
    return (side, side), f"square, as sizes are many: {side} is the middle of the shorter sides"
